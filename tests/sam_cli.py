"""Helpers for tests that run SAM CLI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.local_stack import ROOT


def sam_environment() -> dict[str, str]:
    """Environment for SAM CLI, without credentials: with them, it would ask AWS whose they are."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return environment | {"SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true"}


def sam(*arguments: str, timeout: float = 300, folder: Path = ROOT) -> str:
    """Run SAM CLI in the project's folder; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "samcli", *arguments],
        cwd=folder,
        env=sam_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lay_layers(built: Path, opt: Path) -> None:
    """Merge the built layers, as Lambda does in /opt, for this machine's architecture."""
    from tools.local.sam_local import architecture  # its import takes a second

    compiled = {"arm64": "CompiledLayerArm64", "x86_64": "CompiledLayerX86"}[architecture()]
    for layer in ("SharedLayer", compiled):
        shutil.copytree(built / layer, opt, dirs_exist_ok=True)
