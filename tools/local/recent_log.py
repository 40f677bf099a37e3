"""The newest log entries of the functions, for `make trace`."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any

_MAX_SIZE = 4_000_000
"""Characters: the entries of several thousand requests."""


class RecentLog:
    """Keeps what the functions log, as long as there is room; thread-safe."""

    def __init__(self, max_size: int = _MAX_SIZE) -> None:
        """Keep at most so many characters."""
        self._max_size = max_size
        self._size = 0
        self._texts: deque[str] = deque()
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Keep a line or several, and drop the oldest when there is no room."""
        with self._lock:
            self._texts.append(text)
            self._size += len(text)
            while self._size > self._max_size:
                self._size -= len(self._texts.popleft())

    def entries_of(self, request_id: str) -> list[dict[str, Any]]:
        """Find the entries that a request caused, oldest first."""
        with self._lock:
            texts = list(self._texts)
        lines = (line for text in texts if request_id in text for line in text.split("\n"))
        found = [entry for line in lines if (entry := _entry(line)).get("correlation_id") == request_id]
        return sorted(found, key=lambda entry: str(entry.get("timestamp")))


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
