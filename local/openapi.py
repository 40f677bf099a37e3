"""`make openapi`: merges the OpenAPI documents of all functions into the one that `api_docs` serves."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from local.backends import ENVIRONMENT
from local.template import Template, load_template

DOCUMENT = Path("functions/api_docs/openapi.json")


def merge(template: Template) -> str:
    """Merge the documents of all functions that have routes; returns JSON."""
    from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge
    from aws_lambda_powertools.event_handler.openapi.models import OAuth2, OAuthFlowPassword, OAuthFlows, Tag

    # Functions make their clients when they are imported; none is used here.
    os.environ.update(ENVIRONMENT)
    sys.path.insert(0, str(template.root))
    scheme = OAuth2(
        flows=OAuthFlows(password=OAuthFlowPassword(tokenUrl="/auth/login", scopes={})),
        description="Sign up at POST /auth/create, then sign in here with the username and the password.",
    )
    document = OpenAPIMerge(
        title="Task API",
        version="1.0.0",
        description="Tasks for a team. All signed-in users work on the same list.",
        security_schemes={"password": scheme.model_dump(by_alias=True, exclude_none=True)},  # type: ignore[dict-item]
        tags=[Tag(name="Tasks"), Tag(name="Users")],
        on_conflict="error",
    )
    routed = {route.function_name for route in template.api.routes}
    for function in sorted(template.functions.get_all(), key=lambda function: str(function.name)):
        if function.name in routed:
            os.environ.update(_strings(function.environment["Variables"]))
            document.add_file(template.root / function.codeuri / "app.py")
    return (
        json.dumps(_tidied(json.loads(document.get_openapi_json_schema())), indent=2, ensure_ascii=False)
        + "\n"
    )


def _tidied(document: dict[str, Any]) -> dict[str, Any]:
    """Sort the responses, and leave out the schemas that Powertools adds but nothing here refers to."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] = dict(sorted(operation["responses"].items()))
    schemas = document["components"]["schemas"]
    used: dict[str, Any] = {}
    referring: Any = document["paths"]
    while referring:
        names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(referring))) - used.keys()
        referring = {name: schemas[name] for name in sorted(names)}
        used |= referring
    document["components"]["schemas"] = dict(sorted(used.items()))
    return document


def _strings(variables: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in variables.items()}


def main() -> None:
    """Write the document, or with `--check` tell whether it is the one that would be written."""
    parser = argparse.ArgumentParser(prog="python -m local.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the document is stale")
    check = parser.parse_args().check
    # Without a cache, because the one of the template has no address here.
    template = load_template(Path("template.yaml"), {"Cache": "disabled"})
    path, document = template.root / DOCUMENT, merge(template)
    if not check:
        path.write_text(document, encoding="utf-8")
        print(f"wrote {DOCUMENT}")
    elif not path.exists() or path.read_text("utf-8") != document:
        sys.exit(f"{DOCUMENT} is stale: run 'make openapi' and commit it")


if __name__ == "__main__":
    main()
