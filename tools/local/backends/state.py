"""The local stack's state: what is in tables, streams, queues and secrets, in one SQLite file.

It is in WAL mode: what was committed survives the end of the process, however it ends. See
https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.local.backends import state_of_1_0
from tools.local.backends.changes import Change, Checkpoint, ItemChange, QueueChange, Schema, SecretChange
from tools.local.errors import LocalStackError

_VERSION = 1
_TABLES = f"""
    CREATE TABLE items (place TEXT, key TEXT, item TEXT, PRIMARY KEY (place, key)) WITHOUT ROWID;
    CREATE TABLE records (number TEXT PRIMARY KEY, place TEXT, record TEXT) WITHOUT ROWID;
    CREATE TABLE checkpoints (place TEXT, function TEXT, number TEXT, PRIMARY KEY (place, function));
    CREATE TABLE messages (queue TEXT, id TEXT, message TEXT, PRIMARY KEY (queue, id));
    CREATE TABLE secrets (name TEXT PRIMARY KEY, secret TEXT) WITHOUT ROWID;
    PRAGMA user_version = {_VERSION};
"""


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
        self._new = path.with_name(f"{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            old = path if path.exists() else path.with_suffix(".json")
            if state_of_1_0.is_one(old):
                self._take_over(old, schema)
            self._open()
        except OSError as error:
            raise LocalStackError(
                f"{path} cannot keep the state: {error.strerror}. Give another --state, or use --no-state."
            ) from error
        except sqlite3.Error as error:
            if _is_busy(error):
                raise LocalStackError(
                    f"Another local stack uses {path}. Stop that one, or start this one with --no-state."
                ) from error
            raise _damaged(path, str(error)) from error

    @staticmethod
    def is_taken(path: Path) -> bool:
        """Whether another stack uses the file."""
        try:
            with contextlib.closing(
                sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", 0, uri=True)
            ) as it:
                it.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            return _is_busy(error)
        return False

    def items(self, table: str) -> Iterator[Any]:
        """Yield a table's items."""
        return self._select("SELECT item FROM items WHERE place = ?", table)

    def records(self, table: str) -> Iterator[Any]:
        """Yield the records of a table's stream that some function has yet to read, the oldest first."""
        return self._select("SELECT record FROM records WHERE place = ? ORDER BY number", table)

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
            _apply(self._connection, changes)

    def sync(self) -> None:
        """Wait until the disk has what was saved, so that it survives the end of the machine, too.

        Raises:
            sqlite3.Error, OSError: the disk does not take it.
        """
        self._keep_in_place()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Let another stack have the file."""
        self._connection.close()

    def _open(self) -> None:
        self._connection = _connect(self.path)
        try:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            if self._connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                self._connection.executescript(_TABLES)
            self._inode = self.path.stat().st_ino
        except BaseException:
            self._connection.close()
            raise

    def _take_over(self, old: Path, schema: Schema) -> None:
        """Read the state of version 1.0; a crash leaves either that, or this one whole."""
        self._new.unlink(missing_ok=True)
        with contextlib.closing(_connect(self._new)) as new:
            new.executescript(_TABLES)
            try:
                with new:
                    _apply(new, state_of_1_0.read(old, schema))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self._new.unlink()
                raise _damaged(old, f"{type(error).__name__}: {error}") from error
        shutil.copy2(old, old.with_name(f"{old.name}.1.0"))
        self._new.replace(self.path)
        if old != self.path:
            old.unlink()

    def _keep_in_place(self) -> None:
        """Write the file anew if somebody deleted it."""
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:
                return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._new.unlink(missing_ok=True)
        with contextlib.closing(_connect(self._new)) as new:
            self._connection.backup(new)
        self._connection.close()
        self._new.replace(self.path)
        self._open()

    def _select(self, query: str, place: str) -> Iterator[Any]:
        return (json.loads(text) for (text,) in self._connection.execute(query, (place,)))


def _connect(path: Path) -> sqlite3.Connection:
    """Open a database that only its owner may read: it holds a secret."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, mode=0o600))
    return sqlite3.connect(path, timeout=0, check_same_thread=False)  # one thread at a time


def _apply(connection: sqlite3.Connection, changes: Iterable[Change]) -> None:
    for change in changes:
        match change:
            case ItemChange(table, key, item, record):
                connection.execute("DELETE FROM items WHERE place = ? AND key = ?", (table, json.dumps(key)))
                if item is not None:
                    row = table, json.dumps(key), json.dumps(item)
                    connection.execute("INSERT INTO items VALUES (?, ?, ?)", row)
                if record is not None:
                    row = record["dynamodb"]["SequenceNumber"], table, json.dumps(record)
                    connection.execute("INSERT INTO records VALUES (?, ?, ?)", row)
            case Checkpoint(table, function, number, delivered):
                row = table, function, number
                connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", row)
                connection.execute("DELETE FROM records WHERE place = ? AND number <= ?", (table, delivered))
            case QueueChange(queue, sent, gone):
                rows = [(queue, message["id"], json.dumps(message)) for message in sent]
                connection.executemany("INSERT OR REPLACE INTO messages VALUES (?, ?, ?)", rows)
                left = [(queue, each) for each in gone]
                connection.executemany("DELETE FROM messages WHERE queue = ? AND id = ?", left)
            case SecretChange(name, secret):
                connection.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?)", (name, json.dumps(secret)))


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY  # without what it specifies


def _damaged(path: Path, problem: str) -> LocalStackError:
    return LocalStackError(f"{path} is damaged ({problem}). Move it away, or start with --no-state.")
