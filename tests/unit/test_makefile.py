"""The Makefile on a bare machine, and `make install` with fakes of Python, pip and uv."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAKE = shutil.which("make") or "make"
PIP = """#!/bin/sh
[ "$1" = config ] || exit 0
echo "global.cert='/company/ca=1.pem'"
echo "global.index-url='file:///company/index?a='"
"""
UV = """#!/bin/sh
echo "CA $SSL_CERT_FILE, index $UV_DEFAULT_INDEX"
"""


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [MAKE, "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60)


def install(venv: Path, pip: str, uv: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    for name, script in (("pip", pip), ("uv", uv)):
        (venv / "bin" / name).write_text(script)
        (venv / "bin" / name).chmod(0o755)
    return make("install", f"VENV={venv}", "PYTHON=true", PATH=os.environ["PATH"], **variables)


def test_commands_are_listed_with_make_alone() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert re.findall(r"^  make (\S+) +\w", make(PATH="").stdout, re.MULTILINE) == targets


def test_a_missing_python_is_a_one_line_error(tmp_path: Path) -> None:
    done = make("install", f"VENV={tmp_path / 'venv'}", PATH="")
    assert done.stderr.splitlines()[0].startswith("error: Python 3.11 or later is needed.")


def test_uv_uses_pips_configuration(tmp_path: Path) -> None:
    assert "CA /company/ca=1.pem, index file:///company/index?a=\n" in install(tmp_path, PIP, UV).stdout


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_the_environment_precedes_pips_configuration(tmp_path: Path, name: str) -> None:
    assert "CA /my/ca.pem, " in install(tmp_path, PIP, UV, **{name: "/my/ca.pem"}).stdout


def test_a_failed_installation_is_retried_next_time(tmp_path: Path) -> None:
    failing = "#!/bin/sh\nexit 1\n"
    for pip, uv in ((failing, UV), (PIP, failing)):
        failed = install(tmp_path, pip, uv)
        assert failed.returncode
        assert "the package index cannot be reached" in failed.stderr
    assert "CA " in install(tmp_path, PIP, UV).stdout


def test_a_failed_update_is_not_taken_for_installed(tmp_path: Path) -> None:
    (tmp_path / ".installed").touch()
    os.utime(tmp_path / ".installed", (0, 0))
    assert install(tmp_path, PIP, "#!/bin/sh\nexit 1\n").returncode
    assert "CA " in install(tmp_path, PIP, UV).stdout
