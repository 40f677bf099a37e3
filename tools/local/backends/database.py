"""The database that a state file is: its tables, and how changes are written."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from tools.local.backends.changes import Change, Checkpoint, ItemChange, QueueChange, SecretChange

VERSION = 1
TABLES = f"""
    BEGIN;
    CREATE TABLE items (place TEXT, key TEXT, item TEXT, PRIMARY KEY (place, key)) WITHOUT ROWID;
    CREATE TABLE records (place TEXT, number TEXT, record TEXT, PRIMARY KEY (place, number)) WITHOUT ROWID;
    CREATE TABLE checkpoints (place TEXT, function TEXT, number TEXT, PRIMARY KEY (place, function));
    CREATE TABLE messages (queue TEXT, id TEXT, message TEXT, PRIMARY KEY (queue, id));
    CREATE TABLE secrets (name TEXT PRIMARY KEY, secret TEXT) WITHOUT ROWID;
    PRAGMA user_version = {VERSION};
    COMMIT;
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open a database, or create it."""
    make(path)
    return sqlite3.connect(path, timeout=0, check_same_thread=False)  # one thread at a time


def make(path: Path) -> None:
    """Create a file that only its owner may read, unless it exists: it holds a secret."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, mode=0o600)
    os.fchmod(file, 0o600)
    os.close(file)


def apply(connection: sqlite3.Connection, changes: Iterable[Change]) -> None:
    """Write changes, in the current transaction."""
    for change in changes:
        match change:
            case ItemChange(table, key, item, record):
                connection.execute("DELETE FROM items WHERE place = ? AND key = ?", (table, json.dumps(key)))
                if item is not None:
                    row = table, json.dumps(key), json.dumps(item)
                    connection.execute("INSERT INTO items VALUES (?, ?, ?)", row)
                if record is not None:
                    row = table, record["dynamodb"]["SequenceNumber"], json.dumps(record)
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
