"""Runs the local stack until it is to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

from tools.local.backends.process import Backends
from tools.local.errors import LocalStackError
from tools.local.options import Options
from tools.local.parts import running

_WELCOME = """\
  ready in {seconds:.1f} s. Ctrl-C stops it.

  board      {url}/
  docs       {url}/docs
  to try     curl {url}/auth/create -H 'Content-Type: application/json' \\
               -d '{{"username": "mary", "password": "a lamb, white as snow"}}'
"""
_WATCH_INTERVAL = 0.5
"""Seconds between two looks at whether all is well."""


class _StoppedEarly(BaseException):
    """The stack is to stop before it is ready."""


def serve(options: Options) -> None:
    """Run the stack until SIGINT or SIGTERM, or until its parent ends; then leave nothing behind.

    Raises:
        LocalStackError: it could not start, or a part of it ended.
    """
    # First, to notice what happens during the start.
    parent, modified = os.getppid(), _modified(options.template)
    ready, stopped = threading.Event(), threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            os._exit(130)  # the second time: all child processes end with this one
        stopped.set()
        if not ready.is_set():
            raise _StoppedEarly

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    started = time.perf_counter()
    with contextlib.suppress(_StoppedEarly), running(options) as (url, backends):
        from tools.local.console import say

        ready.set()
        say(_WELCOME.format(seconds=time.perf_counter() - started, url=url))
        _watch(stopped, parent, backends, options.template, modified)
        say("\nstopping; what is on its way is kept" if options.state else "\nstopping")
    if ready.is_set() and backends.has_failed:
        raise LocalStackError("The backends could not end as they should; what they said stands above.")


def _watch(
    stopped: threading.Event, parent: int, backends: Backends, template: Path, modified: float
) -> None:
    """Wait until the stack is to stop; say so when the template is modified.

    Raises:
        LocalStackError: the backends ended.
    """
    from tools.local.console import say

    while not stopped.wait(_WATCH_INTERVAL) and os.getppid() == parent:
        if not backends.are_running:
            raise LocalStackError("The backends ended, and the stack with them. Start it again.")
        if _modified(template) != modified:
            modified = _modified(template)
            say(f"{template} has changed; start the stack again to use it")


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0
