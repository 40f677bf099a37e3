"""Forwards a worker's output, in whole lines and whole reports."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

MAX_LINE = 256 * 1024
"""Bytes; a longer line is handed on in pieces of this size, so that an endless one is shown and not kept."""
REPORT_MARK = b"\x1e"
"""Precedes a report in the stream: JSON text on one line, so that no other output gets in between."""
_CHUNK = 64 * 1024
_PAUSE = 0.003
"""Seconds to wait for more: the lines of a traceback are written one by one."""

Write = Callable[[str, str], None]
"""Takes a function's name and text that may have several lines."""


def pack_report(text: str) -> bytes:
    """Write a report, such as a traceback, for the stream."""
    return REPORT_MARK + json.dumps(text).encode() + b"\n"


def forward(name: str, logs: Connection, log: Write, report: Write) -> None:
    """Forward a pipe's content until it ends.

    Args:
        name: The function's name.
        logs: The end of the pipe to read from; it is closed in the end.
        log: Takes lines that the function printed, as many as came together.
        report: Takes reports of the worker.
    """
    with logs:
        for block in _blocks(logs):
            for kind, text in _parts(block):
                # An unread pipe would block the function forever.
                with contextlib.suppress(Exception):
                    (report if kind else log)(name, text)


def _blocks(logs: Connection) -> Iterator[bytes]:
    """Read whole lines; lines printed within milliseconds stay together."""
    rest = b""
    while chunk := os.read(logs.fileno(), _CHUNK):
        rest += chunk
        # Most lines are entries of a log, in JSON: they need not wait for more.
        while not rest.endswith(b"}\n") and len(rest) < MAX_LINE and logs.poll(_PAUSE):
            if not (chunk := os.read(logs.fileno(), _CHUNK)):
                break
            rest += chunk
        block, newline, rest = rest.rpartition(b"\n")
        if newline:
            yield block
        while len(rest) >= MAX_LINE:
            yield rest[:MAX_LINE]
            rest = rest[MAX_LINE:]
    if rest:
        yield rest


def _parts(block: bytes) -> Iterator[tuple[bool, str]]:
    """Split output into reports, and the runs of lines between them."""
    lines: list[str] = []
    for line in block.split(b"\n"):
        printed, mark, packed = line.partition(REPORT_MARK)
        text = _unpack(packed) if mark else None
        if text is None:
            lines.append(line.decode(errors="backslashreplace").removesuffix("\r"))
            continue
        if printed:
            lines.append(printed.decode(errors="backslashreplace"))
        if lines:
            yield False, "\n".join(lines)
        lines = []
        yield True, text
    if lines:
        yield False, "\n".join(lines)


def _unpack(packed: bytes) -> str | None:
    try:
        text = json.loads(packed)
    except (ValueError, RecursionError):
        return None
    return text if isinstance(text, str) else None
