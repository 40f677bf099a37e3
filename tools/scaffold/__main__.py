"""`make endpoint`: writes a new endpoint, modeled on existing ones."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.costs import __main__ as costs
from tools.local.errors import LocalStackError
from tools.local.template import load_template
from tools.openapi import __main__ as openapi
from tools.scaffold.edits import edits
from tools.scaffold.endpoint import EXAMPLE, METHODS, InvalidEndpoint, NewEndpoint, check

_EPILOG = (
    "Afterwards, `make unit component` names what is left to do: replace each TODO in the new code with your "
    "own text. "
    "The endpoint requires a token; for a public one, see docs/adding-an-endpoint.md."
)


def main() -> int:
    """Write the files of an endpoint; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=f"make endpoint {EXAMPLE}",
        usage="%(prog)s",
        description="Write a new endpoint: its function, its role and its route in the template, "
        "a sample event, and tests.",
        epilog=_EPILOG,
    )
    parser.add_argument("name", help="name of the function, such as get_task_title")
    parser.add_argument("route", help=f"one of {', '.join(METHODS)}, and a path")
    given = parser.parse_args()
    try:
        endpoint = NewEndpoint.parse(given.name, given.route)
        template = load_template(Path("template.yaml"), {})
        check(endpoint, template)
        written = edits(endpoint, template.root)
    except (InvalidEndpoint, LocalStackError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path, text in written.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"wrote {path.relative_to(template.root)}")
    openapi.write_documents(load_template(template.path, {}))
    costs.write_document(template.root)
    print(f"\nNow write functions/{endpoint.name}/app.py; then run `make openapi costs pictures`.")
    print("`make unit component` names what is left to do.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
