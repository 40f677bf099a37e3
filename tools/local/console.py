"""Output of the local stack: its parts, each request, and the functions' log entries."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from rich.console import Console

from tools.local.log_entries import DeliveryLogEntry, RequestLogEntry

_STYLES = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}
"""By the classes of status codes."""
_OF_EVERY_LOG_ENTRY = {
    "level", "message", "timestamp", "service", "location", "cold_start", "exception",
    "function_name", "function_memory_size", "function_arn", "function_request_id", "xray_trace_id",
    "correlation_id",
}  # fmt: skip
"""Fields that Powertools' logger adds to each entry, or that are printed separately."""
_MAX_PATH = 2000
"""Characters of a path that are shown."""
_MAY_BE_SECRET = re.compile("[^&=]{8,}")
"""Possible secrets in a query string, where they do not belong; no password is shorter."""

# Characters that could forge a line, move the cursor or reverse text: C0 and C1 controls except tab and line
# feed, Unicode's line ends, and directional marks.
_UNSAFE = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _UNSAFE if chr(code) not in "\t\n"
}


class _Terminal:
    """Standard output; rich decides about colors by NO_COLOR, FORCE_COLOR and the terminal."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # terminals may lack characters
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._codes = {style: self._codes_of(style) for style in ("", "dim", *_STYLES.values())}

    def _codes_of(self, style: str) -> tuple[str, str]:
        """Find the escape codes of a style; rendering each line with rich takes as long as a request."""
        with self._console.capture() as rendered:
            self._console.print("x", style=style, end="")
        start, _, end = rendered.get().partition("x")
        return start, end

    def paint(self, text: str, style: str) -> str:
        start, end = self._codes[style]
        return f"{start}{text}{end}" if text else ""

    def write(self, text: str) -> None:
        """Write lines in one piece, whole even when threads write at the same time."""
        with self._lock, contextlib.suppress(OSError, ValueError):  # the pipe's reader has ended
            self._console.file.write(text + "\n")
            self._console.file.flush()


_terminal = _Terminal()
_shown = {"metrics": True}


def configure(*, metrics: bool) -> None:
    """Choose what is shown.

    Args:
        metrics: Whether to print a line for each metric that a function emits.
    """
    _shown["metrics"] = metrics


def request(entry: RequestLogEntry) -> None:
    """Print one line about a request that was answered."""
    path, mark, query = entry.path.partition("?")
    path += mark + _MAY_BE_SECRET.sub("…", query)
    path = path if len(path) <= _MAX_PATH else path[:_MAX_PATH] + "…"
    outcome = (str(entry.status), _STYLES.get(entry.status // 100, ""))
    note = f"{entry.function or 'no route'} {f'cache {entry.cache}' if entry.cache else ''}"
    _event(outcome, entry.seconds, f"{entry.method:6} {path}", note)


def delivery(entry: DeliveryLogEntry) -> None:
    """Print one line about a batch of a queue or a stream that a function was called with."""
    outcome = ("bad", _STYLES[5]) if entry.failed else ("ok ", _STYLES[2])
    failed = f", {entry.failed} failed" if entry.failed else ""
    _event(outcome, entry.seconds, f"{entry.size} from {entry.source}{failed}", entry.function)


def function_line(function: str, text: str) -> None:
    """Print a function's output, one or more lines; structured JSON in a readable form."""
    lines = [part for line in text.split("\n") for part in legible(line)]
    _block(function, lines)


def function_failure(function: str, text: str) -> None:
    """Print the error of a function."""
    _block(function, text.split("\n"), "red")


def quiet_sam() -> None:
    """Silence SAM CLI's log: its errors are raised, or reported by the gateway."""
    logging.getLogger("samcli").setLevel(logging.CRITICAL)


def say(text: str) -> None:
    """Print text, whole even when threads print at the same time."""
    _terminal.write(_escape(text))


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows, indented, their cells aligned; rows may end early."""
    widths = [max(map(len, cells)) for cells in itertools.zip_longest(*rows, fillvalue="")]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        say(f"  {'  '.join(cells)}".rstrip())


def legible(line: str) -> list[str]:
    """Format a line of structured JSON for people; other lines are unchanged."""
    try:
        entry = json.loads(line)
        lines = _lines_of(entry) if isinstance(entry, dict) else None
    except (ValueError, RecursionError, OverflowError):  # not parseable, such as a thousand brackets
        lines = None
    return [line] if lines is None else lines


def _lines_of(entry: Mapping[str, object]) -> list[str] | None:
    """Write an entry of a log or of metrics; None if it is neither."""
    if "_aws" in entry:
        metrics = _metrics(entry)
        return metrics if _shown["metrics"] or metrics is None else []
    if not {"level", "message"} <= entry.keys():
        return None
    if entry["message"] == "answered":
        return []  # the request's own line has it
    rest = {name: value for name, value in entry.items() if name not in _OF_EVERY_LOG_ENTRY}
    pairs = " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in rest.items())
    trace = str(entry["exception"]).split("\n") if "exception" in entry else []
    # Messages have one line; only tracebacks have more.
    return [_one_line(f"{entry['level']} {entry['message']}  {pairs}"), *trace]


def _metrics(entry: Mapping[str, object]) -> list[str] | None:
    """Write metrics in CloudWatch's embedded format; None if they are not.

    See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metadata = entry["_aws"]
    groups = metadata.get("CloudWatchMetrics") if isinstance(metadata, dict) else None
    counted = []
    for group in groups if isinstance(groups, list) else []:
        metrics = group.get("Metrics") if isinstance(group, dict) else None
        for metric in metrics if isinstance(metrics, list) else []:
            name = metric.get("Name") if isinstance(metric, dict) else None
            value = entry.get(name) if isinstance(name, str) else None
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(number, int | float) for number in values):
                return None
            counted.append(f"{name}={sum(values):g}")
    return [_one_line("metric " + " ".join(counted))] if counted else None


def _event(outcome: tuple[str, str], seconds: float, what: str, note: str) -> None:
    moment, took = time.strftime("%H:%M:%S"), f"{seconds * 1000:6.0f} ms"
    note = _terminal.paint(_one_line(note.rstrip()), "dim")
    _terminal.write(f"{moment} {_terminal.paint(*outcome)} {took}  {_one_line(what)}  {note}")


def _block(function: str, lines: list[str], style: str = "") -> None:
    """Print lines of a function, in one piece."""
    if lines:
        margin = _terminal.paint(f"{function:>27} │", "dim")
        _terminal.write("\n".join(f"{margin} {_terminal.paint(_one_line(line), style)}" for line in lines))


def _escape(text: str) -> str:
    return text.translate(_ESCAPES)


def _one_line(text: str) -> str:
    return _escape(text).replace("\n", "\\n")
