"""The OpenAPI document passes the recommended rules of the linters that API teams use."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.local_stack import ROOT
from tests.optional import NPX, needs_npx

pytestmark = needs_npx
DOCUMENT = str(ROOT / "functions/api_docs/openapi.json")


def run(package: str, *command: str, folder: Path) -> Any:
    """Run a program from npm; returns the JSON that it prints."""
    done = subprocess.run(
        [NPX.path, "--yes", "--package", package, "--", *command],
        cwd=folder,  # where npm finds no project
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise AssertionError(done.stdout + done.stderr) from None


def test_redocly_finds_nothing(tmp_path: Path) -> None:
    found = run(
        "@redocly/cli@1.34.5",
        *("redocly", "lint", "--extends", "recommended", "--format", "json", DOCUMENT),
        folder=tmp_path,
    )
    assert found["problems"] == []


def test_spectral_finds_nothing(tmp_path: Path) -> None:
    ruleset = tmp_path / "rules.yaml"
    ruleset.write_text("extends: [[spectral:oas, recommended]]\n")
    found = run(
        "@stoplight/spectral-cli@6.16.3",
        *("spectral", "lint", "--ruleset", str(ruleset), "--format", "json", "--quiet", DOCUMENT),
        folder=tmp_path,
    )
    assert found == []
