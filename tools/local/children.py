"""Processes of the local stack that end when their standard input does."""

from __future__ import annotations

import subprocess


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes], timeout: float) -> None:
    """Close the standard input of a process, and kill it if it has not ended after so many seconds."""
    try:
        process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
