"""What `make sam-local` changes in SAM CLI."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

UNCLOSABLE = """
import http.client, socket, sys
from tools.local.sam_local import hide_closed_files
sys.unraisablehook = hide_closed_files
here, there = socket.socketpair()
response = http.client.HTTPResponse(here)
response.fp.raw.close()
class Broken:
    def __del__(self):
        raise RuntimeError("real error")
broken = Broken()
"""


def test_connections_closed_in_the_wrong_order_print_no_traceback() -> None:
    # Python 3.13 always prints them, earlier versions only in development mode.
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", UNCLOSABLE]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60).stderr
    assert "closed file" not in printed
    assert "real error" in printed
