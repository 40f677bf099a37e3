"""The local stack's state: the content of tables, streams, queues and secrets, in one SQLite file.

It is in WAL mode: what was committed survives the end of the process, however it ends. See
https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.local.backends import database, state_of_1_0
from tools.local.backends.changes import Change, Schema
from tools.local.errors import LocalStackError

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB}
"""Errors of a damaged file; others, such as a full disk, have other causes."""


class StateFile:
    """A state file, which one stack at a time uses."""

    def __init__(self, path: Path, schema: Schema) -> None:
        """Open the file, or make it; what version 1.0 kept there, or beside it, is read once and set aside.

        Args:
            path: The file.
            schema: The tables.

        Raises:
            LocalStackError: it is damaged, another stack uses it, or there cannot be a file there.
        """
        self.path = path
        self._new, self._wal = (path.with_name(f"{path.name}{end}") for end in (".new", "-wal"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            old = path if path.exists() else path.with_suffix(".json")
            if state_of_1_0.is_one(old):
                self._take_over(old, schema)
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise self.explain(error) from error

    def explain(self, error: sqlite3.Error | OSError) -> LocalStackError:
        """Explain an error of this file, and what to do."""
        code = _code(error)
        if code == sqlite3.SQLITE_BUSY or isinstance(error, BlockingIOError):
            return LocalStackError(
                f"Another local stack uses {self.path}. Stop that one, or start this one with --no-state."
            )
        if code in _DAMAGE:
            return _damaged(self.path, str(error))
        reason = error.strerror if isinstance(error, OSError) else error
        return LocalStackError(
            f"{self.path} cannot keep the state: {reason}. Give another --state, or use --no-state."
        )

    @staticmethod
    def is_taken(path: Path) -> bool:
        """Whether another stack uses the file."""
        try:
            with contextlib.closing(
                sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", 0, uri=True)
            ) as it:
                it.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            return _code(error) == sqlite3.SQLITE_BUSY
        return False

    def items(self, table: str) -> Iterator[Any]:
        """Yield a table's items."""
        return self._select("SELECT item FROM items WHERE place = ?", table)

    def records(self, table: str) -> Iterator[Any]:
        """Yield the records of a table's stream that some function still has to read, the oldest first."""
        return self._select("SELECT record FROM records WHERE place = ? ORDER BY number", table)

    def highest_number(self) -> str:
        """Find the highest sequence number that there was."""
        found = self._connection.execute(
            "SELECT max(number) FROM (SELECT number FROM records UNION ALL SELECT number FROM checkpoints)"
        )
        return str(found.fetchone()[0] or 0)

    def checkpoints(self) -> dict[tuple[str, str], str]:
        """Find the sequence number that each function has reached, by table and function."""
        rows = self._connection.execute("SELECT place, function, number FROM checkpoints")
        return {(table, function): number for table, function, number in rows}

    def messages(self, queue: str) -> Iterator[Any]:
        """Yield a queue's messages, the oldest first."""
        return self._select("SELECT message FROM messages WHERE queue = ? ORDER BY rowid", queue)

    def secret(self, name: str) -> Any:
        """Find a secret; None if it is not kept yet."""
        return next(self._select("SELECT secret FROM secrets WHERE name = ?", name), None)

    def save(self, changes: Iterable[Change]) -> None:
        """Save all changes or none.

        Raises:
            sqlite3.Error, OSError: they cannot be saved.
        """
        self._keep_in_place()
        with self._connection:
            database.apply(self._connection, changes)

    def sync(self) -> None:
        """Flush saved data to disk, so that it survives a crash of the machine.

        Raises:
            sqlite3.Error, OSError: the disk does not take it.
        """
        self._keep_in_place()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Let another stack have the file."""
        self._connection.close()

    def _open(self) -> None:
        connection = database.connect(self.path)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.executescript(database.TABLES)
            elif version != database.VERSION:
                raise _damaged(self.path, f"it is of version {version}")
        except BaseException:
            connection.close()
            raise
        self._connection, self._inode = connection, self.path.stat().st_ino

    def _take_over(self, old: Path, schema: Schema) -> None:
        """Read the state of version 1.0; a crash leaves either that, or this one whole."""
        lock, copy = (old.with_name(f"{old.name}{end}") for end in (".lock", ".1.0"))
        with lock.open("w") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as version 1.0 does
            try:
                self._fill_new(old, schema)
                database.make(copy)
                copy.write_bytes(old.read_bytes())
                self._replace()
                if old != self.path:
                    old.unlink()
            finally:
                lock.unlink()

    def _fill_new(self, old: Path, schema: Schema) -> None:
        self._new.unlink(missing_ok=True)
        try:
            with contextlib.closing(database.connect(self._new)) as new, new:
                new.executescript(database.TABLES)
                database.apply(new, state_of_1_0.read(old, schema))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._new.unlink()
            raise _damaged(old, f"{type(error).__name__}: {error}") from error

    def _keep_in_place(self) -> None:
        """Write the file anew if somebody deleted it."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_ino == self._inode:
                return
            raise FileExistsError(errno.EEXIST, "another file has taken its place")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._new.unlink(missing_ok=True)
        with contextlib.closing(database.connect(self._new)) as new:
            self._connection.backup(new)
        # Closing deletes the WAL of that name, so it comes first. The copy has everything if the rest fails.
        self._connection.close()
        self._connection = copy = database.connect(self._new)
        self._replace()
        self._inode = self.path.stat().st_ino
        self._open()
        copy.close()

    def _replace(self) -> None:
        """Move the new file into place, without the WAL of an old one, which SQLite would apply to it."""
        self._wal.unlink(missing_ok=True)
        self._new.replace(self.path)

    def _select(self, query: str, place: str) -> Iterator[Any]:
        return (json.loads(text) for (text,) in self._connection.execute(query, (place,)))


def _code(error: Exception) -> int:
    """Find SQLite's primary result code of an error; 0 if it is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _damaged(path: Path, problem: str) -> LocalStackError:
    return LocalStackError(f"{path} is damaged ({problem}). Move it away, or start with --no-state.")
