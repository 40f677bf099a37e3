"""`make openapi`: writes the API's OpenAPI document, and the JSON Schema of its events."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from shared.tasks.events import TaskEventDocument
from tools.local.template import Template, load_template
from tools.openapi.document import build_document
from tools.openapi.schemas import Schemas

DOCUMENT = Path("functions/api_docs/openapi.json")
EVENTS = Path("functions/api_docs/events.schema.json")


def main() -> None:
    """Write the documents, or with `--check` compare them with the generated ones."""
    parser = argparse.ArgumentParser(prog="make openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a document is stale")
    check = parser.parse_args().check
    template = load_template(Path("template.yaml"), {})
    if not check:
        write_documents(template)
        return
    for name, text in _documents(template).items():
        path = template.root / name
        if not path.exists() or path.read_text("utf-8") != text:
            sys.exit(f"{name} is stale: run 'make openapi' and commit it")


def write_documents(template: Template) -> None:
    """Write the documents of a template's API into its project."""
    for name, text in _documents(template).items():
        (template.root / name).write_text(text, encoding="utf-8")
        print(f"wrote {name}")


def _event_schema() -> dict[str, Any]:
    """Build the JSON Schema of events, which EventBridge delivers as `detail`."""
    schemas = Schemas([], [TaskEventDocument], "#/$defs/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schemas.reference(TaskEventDocument),
        "$defs": schemas.components,
    }


def _documents(template: Template) -> dict[Path, str]:
    documents = {DOCUMENT: build_document(template), EVENTS: _event_schema()}
    return {name: json.dumps(document, indent=2) + "\n" for name, document in documents.items()}


if __name__ == "__main__":
    main()
