"""The state file: a snapshot on its first line, and a line for each change since."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import IO

from tools.local.backends.state import Schema, read_state
from tools.local.errors import LocalStackError

_GROWTH = 3
"""The file is compacted when it is so many times as large as when it was last written whole."""


class Journal:
    """A file that one stack at a time reads at its start and appends to while it runs.

    An appended line survives the end of any process, however it ends; `sync` makes it survive the machine's.
    """

    def __init__(self, path: Path, least_size: int = 16_000_000) -> None:
        """Take the file for this stack.

        Args:
            path: The file.
            least_size: The file is not compacted before it has so many bytes.

        Raises:
            LocalStackError: another stack has it, or there cannot be a file there.
        """
        self.path = path
        self._least_size = least_size
        self._file: int | None = None
        self._size = self._compact_size = 0
        self._compaction: subprocess.Popen[str] | None = None
        self._compacted = 0
        """The bytes of the file that the compaction under way replaces."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._lock = _lock(path)
        except BlockingIOError as error:
            raise LocalStackError(
                f"Another local stack uses {path}. Stop that one, or start this one with --no-state."
            ) from error
        except OSError as error:
            raise LocalStackError(
                f"{path} cannot keep the state: {error.strerror}. Give another --state, or use --no-state."
            ) from error

    @staticmethod
    def is_taken(path: Path) -> bool:
        """Whether another stack has the file."""
        try:
            _lock(path).close()
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def lines(self) -> Iterator[str]:
        """Read the file, line by line; a last line without an end was never acknowledged, and is left out.

        Raises:
            OSError, UnicodeDecodeError: it cannot be read.
        """
        try:
            with self.path.open(encoding="utf-8") as file:
                for number, line in enumerate(file):
                    # A file of an earlier version is one line without an end.
                    if line.endswith("\n") or number == 0:
                        yield line
        except FileNotFoundError:
            return

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace the file's content, whole or not at all. Only its owner may read it: it holds a secret.

        Raises:
            OSError: the old content stays.
        """
        self._cancel_compaction()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, mode=0o600)
        try:
            size = sum(_write(file, f"{line}\n".encode()) for line in lines)
            os.fsync(file)
            new.replace(self.path)
        except BaseException:
            os.close(file)
            raise
        if self._file is not None:
            os.close(self._file)
        self._file, self._size, self._compact_size = file, size, size

    def append(self, lines: Iterable[str]) -> None:
        """Add lines.

        Raises:
            OSError: some may be missing, or torn; `rewrite` mends the file.
        """
        assert self._file is not None, "rewrite comes first"  # noqa: S101
        self._size += _write(self._file, "".join(f"{line}\n" for line in lines).encode())

    @property
    def is_compacting(self) -> bool:
        """Whether a compaction is under way, or has ended and its file is not taken yet."""
        return self._compaction is not None

    def compact_when_long(self, schema: Schema) -> None:
        """Begin or finish a compaction, where one is due; another process does the work meanwhile.

        Raises:
            OSError: the old content stays.
        """
        if self._compaction is not None:
            if self._compaction.poll() is not None:
                self._finish_compaction(self._compaction.returncode)
                self._compaction = None
        elif self._size > max(self._least_size, _GROWTH * self._compact_size):
            self._compacted = self._size
            command = [sys.executable, "-m", "tools.local.backends.journal", str(self.path), str(self._size)]
            self._compaction = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)  # noqa: S603
            with self._compaction.stdin as schema_file:  # type: ignore[union-attr]
                json.dump(asdict(schema), schema_file)

    def close(self) -> None:
        """Let another stack have the file."""
        self._cancel_compaction()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._lock.close()

    def _cancel_compaction(self) -> None:
        if self._compaction is not None:
            self._compaction.kill()
            self._compaction.wait()
            self._compaction = None

    def _finish_compaction(self, status: int) -> None:
        """Add what was appended since the compaction began, and take its file."""
        if status != 0 or self._file is None:
            self._compact_size = self._size  # to try again when it has grown once more
            return
        file = os.open(_compact_path(self.path), os.O_WRONLY | os.O_APPEND)
        try:
            with self.path.open("rb") as old:
                old.seek(self._compacted)
                while chunk := old.read(1 << 20):
                    _write(file, chunk)
            os.fsync(file)
            _compact_path(self.path).replace(self.path)
        except BaseException:
            os.close(file)
            raise
        os.close(self._file)
        self._file = file
        self._size = self._compact_size = os.fstat(file).st_size

    def is_in_place(self) -> bool:
        """Whether the path still leads to the file that is written to."""
        try:
            return self._file is not None and os.path.samestat(os.fstat(self._file), self.path.stat())
        except OSError:
            return False

    def sync(self) -> None:
        """Wait until the disk has what was appended.

        Raises:
            OSError: it does not take it.
        """
        if self._file is not None:
            os.fsync(self._file)


def _lock(path: Path) -> IO[str]:
    """Take the file for this process.

    Raises:
        BlockingIOError: another process has it.
        OSError: there cannot be a file there.
    """
    file = path.with_name(f"{path.name}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file


def _write(file: int, data: bytes) -> int:
    written = 0
    while written < len(data):
        written += os.write(file, memoryview(data)[written:])
    return written


def _compact_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.compact")


def main() -> None:
    """Compact the beginning of a state file into another file."""
    path, size, schema = Path(sys.argv[1]), int(sys.argv[2]), Schema(**json.load(sys.stdin))
    with path.open("rb") as file:
        lines = file.read(size).decode().splitlines()
    state = read_state(iter(lines), schema)
    new = os.open(_compact_path(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o600)
    for line in chain([state.to_json()], map(json.dumps, state.pending)):
        _write(new, f"{line}\n".encode())


if __name__ == "__main__":
    main()
