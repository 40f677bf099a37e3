"""Saves what changes in the emulator before it is acknowledged."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from collections.abc import Iterator

from tools.local.backends import emulator
from tools.local.backends.changes import Change, Delivery, ItemChange, QueueChange, Schema, SecretChange
from tools.local.backends.own_table import OWN_TABLE, checkpoints
from tools.local.backends.state import StateFile

_READ_ONLY = ("Get", "Query", "Scan", "Describe", "List", "BatchGet", "TransactGet")


class NotSaved(Exception):
    """What an operation changed cannot be saved, and was undone."""


class Recorder:
    """Saves changes, or undoes them; and lets streams forget what nobody needs any more."""

    def __init__(self, schema: Schema, state: StateFile | None) -> None:
        """Prepare to record; without a state file, streams are kept short and that is all."""
        self._schema = schema
        self._state = state
        self._positions = dict.fromkeys(schema.keys, 0)
        """How much of each table's stream is saved."""
        self._messages: dict[str, dict[str, emulator.Message]] = {}
        self._secrets: dict[str, str] = {}
        self._is_recording = False
        self._can_save = True

    def restore(self) -> None:
        """Fill the emulator, whose tables, queues and secrets are there and empty; and begin to record."""
        emulator.enter_account()
        numbers = [""]
        for table in self._schema.keys:
            emulator.enable_stream(table)
            if self._state:
                emulator.load_items(table, self._state.items(table))
                loaded = emulator.load_records(table, self._state.records(table))
                self._positions[table] = len(loaded)
                numbers += loaded
        numbers += checkpoints(emulator.all_items(OWN_TABLE)).values()
        emulator.number_records_after(max(numbers))
        for queue, messages in emulator.queues():
            if self._state:
                emulator.load_messages(queue, self._state.messages(queue))
            self._messages[queue] = {message["id"]: message for message in messages}
        for name, _ in emulator.secrets():
            if self._state and (secret := self._state.secret(name)):
                emulator.load_secret(name, secret)
                self._secrets[name] = json.dumps(secret)
        self._is_recording = True
        with contextlib.suppress(NotSaved):
            self.record("secretsmanager.CreateSecret")  # of a stack that is new

    def record(self, operation: str) -> None:
        """Save what an operation of AWS has changed.

        Args:
            operation: As in `x-amz-target`, such as `DynamoDB_20120810.PutItem`.

        Raises:
            NotSaved: it cannot be saved, and was undone.
        """
        service, _, name = operation.rpartition(".")
        if not self._is_recording or name.startswith(_READ_ONLY):
            return
        changes = list(self._changes(service))
        if self._state and changes:
            try:
                self._state.save(changes)
            except (sqlite3.Error, OSError) as error:
                self._undo()
                self._tell(error)
                raise NotSaved from error
            self._tell(None)
        for change in changes:
            self._accept(change)

    def sync(self) -> None:
        """Wait for the disk. If that fails, the next write fails too, and tells."""
        if self._state:
            with contextlib.suppress(sqlite3.Error, OSError):
                self._state.sync()

    def _changes(self, service: str) -> Iterator[Change]:
        if service.startswith("DynamoDB"):
            for table in self._schema.keys:
                is_read = bool(self._schema.consumers.get(table))
                for record in emulator.records(table, self._positions[table]):
                    data = record["dynamodb"]
                    yield ItemChange(table, data["Keys"], data.get("NewImage"), record if is_read else None)
            if emulator.records(OWN_TABLE, self._positions[OWN_TABLE]):
                own_items = list(emulator.all_items(OWN_TABLE))
                for table in self._schema.consumers:
                    yield Delivery(table, self._schema.delivered(table, own_items))
        elif service == "AmazonSQS":
            for queue, messages in emulator.queues():
                known, now = self._messages.get(queue, {}), {message["id"]: message for message in messages}
                if now.keys() != known.keys():
                    sent = [message for message in messages if message["id"] not in known]
                    yield QueueChange(queue, sent, known.keys() - now.keys())
        else:
            for name, secret in emulator.secrets():
                if self._secrets.get(name) != json.dumps(secret):
                    yield SecretChange(name, secret)

    def _accept(self, change: Change) -> None:
        """Take a change as done."""
        match change:
            case ItemChange(table):
                self._positions[table] += 1
                if not self._schema.consumers.get(table):
                    emulator.trim(table)
            case Delivery(table, number):
                emulator.trim(table, number)
            case QueueChange(queue, sent, gone):
                known = self._messages.setdefault(queue, {})
                known.update((message["id"], message) for message in sent)
                for id_ in gone:
                    known.pop(id_)
            case SecretChange(name, secret):
                self._secrets[name] = json.dumps(secret)

    def _undo(self) -> None:
        for table, position in self._positions.items():
            emulator.undo(table, position)
        for queue, messages in emulator.queues():
            messages[:] = self._messages.get(queue, {}).values()
        for name, secret in self._secrets.items():
            emulator.load_secret(name, json.loads(secret))

    def _tell(self, error: Exception | None) -> None:
        """Tell once that nothing can be saved, and once that it can again."""
        if self._can_save == (error is None) or self._state is None:
            return
        self._can_save = error is None
        text = f"{self._state.path} can be written again."
        if error is not None:
            reason = error.strerror if isinstance(error, OSError) else error
            text = f"{self._state.path} cannot be written: {reason}. Writes are refused until it can."
        print(f"warning: {text}", file=sys.stderr, flush=True)
