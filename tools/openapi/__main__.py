"""`make openapi`: writes the API's OpenAPI document."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tools.local.template import Template, load_template
from tools.openapi.document import build_document

DOCUMENT = Path("functions/api_docs/openapi.json")


def main() -> None:
    """Write the document, or with `--check` tell whether it is the one that would be written."""
    parser = argparse.ArgumentParser(prog="make openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the document is stale")
    check = parser.parse_args().check
    template = load_template(Path("template.yaml"), {})
    path = template.root / DOCUMENT
    if not check:
        write_document(template)
    elif not path.exists() or path.read_text("utf-8") != _text(template):
        sys.exit(f"{DOCUMENT} is stale: run 'make openapi' and commit it")


def write_document(template: Template) -> None:
    """Write the document of a template's API beside it."""
    (template.root / DOCUMENT).write_text(_text(template), encoding="utf-8")
    print(f"wrote {DOCUMENT}")


def _text(template: Template) -> str:
    return json.dumps(build_document(template), indent=2) + "\n"


if __name__ == "__main__":
    main()
