"""`make costs`: computes docs/cost.md, or the costs of a workload of your own."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import fields
from pathlib import Path

from tools.costs.table import of_a_month, of_a_night, of_options, of_traffic, render, total
from tools.costs.usage import Inventory, Night, Workload

DOCUMENT = Path("docs/cost.md")


def main() -> int:
    """Write the document, or print the tables of another workload; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make costs ARGS="…"',
        description="Compute the monthly cost. Without options, writes docs/cost.md; else prints its tables.",
    )
    for field in fields(Workload):
        kind = _share if isinstance(field.default, float) else _count
        default = f"default: {field.default:,}"
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, metavar="N", help=default)
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    if given:
        print("\n\n".join(tables(Workload(**given), inventory(Path())).values()))
        return 0
    write_document(Path())
    return 0


def write_document(root: Path) -> None:
    """Rewrite the tables of docs/cost.md."""
    path = root / DOCUMENT
    path.write_text(filled_in(path.read_text("utf-8"), tables(Workload(), inventory(root))), "utf-8")
    print(f"wrote {DOCUMENT}")


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; give a whole number from 1")
    return int(text)


def _share(text: str) -> float:
    if not re.fullmatch(r"0(\.\d+)?|1(\.0+)?", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; give a number from 0 to 1, such as 0.9")
    return float(text)


def inventory(root: Path) -> Inventory:
    """Count the project's resources with a monthly price."""
    files = (path for folder in ("functions", "shared") for path in (root / folder).rglob("*.py"))
    code = "".join(path.read_text("utf-8") for path in files)
    return Inventory.of_template(root / "template.yaml", len(set(re.findall(r'\bcount\("(\w+)"\)', code))))


def tables(work: Workload, there: Inventory) -> dict[str, str]:
    """Render the tables, by their names in the document."""
    return {
        "traffic": render(of_traffic(work), with_total=True),
        "month": render(of_a_month(work, there), with_total=True),
        "options": render(of_options(work, there), with_total=False),
        "night": render(of_a_night(Night()), with_total=True),
    }


def filled_in(document: str, made: dict[str, str]) -> str:
    """Insert tables into a document, each between the comments that name it."""
    for name, table in made.items():
        mark = f"<!-- {name} -->"
        before, _, after = document.split(mark)
        document = f"{before}{mark}\n{table}\n{mark}{after}"
    return document


def without_traffic() -> float:
    """Monthly cost of an unused, almost empty stack."""
    return total(of_a_month(Workload(stored=0), inventory(Path())))


if __name__ == "__main__":
    sys.exit(main())
