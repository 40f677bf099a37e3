"""Tables and secrets in a file, so that they survive a restart of the local stack."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from local.errors import LocalStackError


class StateFile:
    """A file that one stack at a time reads at its start and writes when something changed.

    Its content is `{"tables": {name: [item, …]}, "secrets": {name: value}}`, items in DynamoDB's own JSON.
    """

    def __init__(self, path: Path) -> None:
        """Take the file for this stack.

        Raises:
            LocalStackError: another stack has it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock: IO[str] = path.with_suffix(".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LocalStackError(
                f"Another local stack uses {path}. Stop that one, or start this one with --no-state."
            ) from error

    def read(self) -> dict[str, Any]:
        """Read the file; empty, when there is none.

        Raises:
            LocalStackError: the file is damaged; it is left as it is.
        """
        try:
            state = json.loads(self._path.read_text("utf-8"))
            return {"tables": dict(state["tables"]), "secrets": dict(state["secrets"])}
        except FileNotFoundError:
            return {"tables": {}, "secrets": {}}
        except (ValueError, TypeError, KeyError) as error:
            raise LocalStackError(
                f"{self._path} is damaged ({error!r}). Move it away, or start with --no-state."
            ) from error

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the file's content, whole or not at all. Only its owner may read it: it holds a secret."""
        new = self._path.with_suffix(".new")
        with open(new, "w", encoding="utf-8", opener=_private) as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)
