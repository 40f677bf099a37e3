"""Writes what changes in the emulator to the state file, in the order in which it happened."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from tools.local.backends import emulator
from tools.local.backends.journal import Journal
from tools.local.backends.own_table import OWN_TABLE
from tools.local.backends.state import Change, Schema, State

_READ_ONLY = ("Get", "Query", "Scan", "Describe", "List", "BatchGet", "TransactGet")


class Recorder:
    """Records changes before they are acknowledged, and lets streams forget what nobody needs any more."""

    def __init__(self, schema: Schema, journal: Journal | None) -> None:
        """Prepare to record; without a journal, streams are kept short and that is all."""
        self._schema = schema
        self._journal = journal
        self._positions = dict.fromkeys(schema.keys, 0)
        """How far each table's stream has been recorded."""
        self._messages: dict[str, set[str]] = {}
        self._secrets: dict[str, str] = {}
        self._recording = False
        self._in_file = True
        self._synced = True

    def restore(self, state: State) -> None:
        """Fill the emulator, whose tables, queues and secrets are there and empty; and begin to record."""
        emulator.enter_account()
        for table in self._schema.keys:
            emulator.load_items(table, state.tables.get(table, {}).values())
            emulator.enable_stream(table)
        for change in state.pending:
            emulator.write(change["table"], change["key"], change["item"])
        for queue, messages in state.queues.items():
            emulator.load_messages(queue, messages.values())
        for name, secret in state.secrets.items():
            if isinstance(secret, dict):
                emulator.load_secret(name, secret)
        self._recording = True
        try:
            self._save_anew()
        except OSError as error:
            self._fail(error)

    def record(self, operation: str) -> None:
        """Record what an operation of AWS has changed.

        Args:
            operation: As in `x-amz-target`, such as `DynamoDB_20120810.PutItem`.
        """
        service, _, name = operation.rpartition(".")
        if not self._recording or name.startswith(_READ_ONLY):
            return
        changes = list(self._changes(service))
        if self._journal and self._in_file and changes:
            try:
                self._journal.append(map(json.dumps, changes))
                self._synced = False
            except OSError as error:
                self._fail(error)
        if any(change.get("table") == OWN_TABLE for change in changes):
            self._trim_delivered()

    def sync(self) -> None:
        """Wait for the disk; and where that was not possible before, write the file anew."""
        if self._journal is None:
            return
        try:
            if not self._in_file or not self._journal.is_in_place():
                self._save_anew()
            if not self._synced:
                self._journal.sync()
                self._synced = True
            self._journal.compact_when_long(self._schema)
        except OSError as error:
            self._fail(error)

    @property
    def is_saved(self) -> bool:
        """Whether the file, if there is one, has everything that happened."""
        return self._in_file

    def _changes(self, service: str) -> Iterator[Change]:
        if service.startswith("DynamoDB"):
            for table in self._schema.keys:
                records = emulator.records(table, self._positions[table])
                self._positions[table] += len(records)
                yield from (_change(table, record) for record in records)
                if records and not self._schema.consumers.get(table):
                    emulator.trim(table)
        elif service == "AmazonSQS":
            for queue, messages in emulator.queues():
                known = self._messages.get(queue, set())
                now = {message["id"] for message in messages}
                if now != known:
                    self._messages[queue] = now
                    sent = [message for message in messages if message["id"] not in known]
                    yield {"queue": queue, "sent": sent, "gone": sorted(known - now)}
        else:
            for name, secret in emulator.secrets():
                value = json.dumps(secret)
                if self._secrets.get(name) != value:
                    self._secrets[name] = value
                    yield {"secret": name, "value": secret}

    def _trim_delivered(self) -> None:
        own_items = list(emulator.all_items(OWN_TABLE))
        for table in self._schema.consumers:
            emulator.trim(table, self._schema.delivered(table, own_items))

    def _save_anew(self) -> None:
        """Write all that the emulator holds.

        Raises:
            OSError: it cannot be written.
        """
        if self._journal is None:
            return
        self._journal.rewrite(self._all_lines())
        self._synced = True
        if not self._in_file:
            self._in_file = True
            _tell(f"{self._journal.path} is saved again; nothing was lost.")

    def _all_lines(self) -> Iterator[str]:
        state = self._state()  # not before the file is open, because it takes its time
        yield state.to_json()
        yield from map(json.dumps, state.pending)

    def _state(self) -> State:
        state = State(secrets=dict(emulator.secrets()))
        for table in self._schema.keys:
            items = {self._schema.key(table, item): item for item in emulator.all_items(table)}
            records = emulator.records(table, 0)
            for record in reversed(records):  # which takes back what is pending
                key = self._schema.key(table, record["dynamodb"]["Keys"])
                items.pop(key, None)
                if old := record["dynamodb"].get("OldImage"):
                    items[key] = old
            state.tables[table] = items
            state.pending += [_change(table, record) for record in records]
            self._positions[table] = emulator.stream_start(table) + len(records)
        for queue, messages in emulator.queues():
            state.queues[queue] = {message["id"]: message for message in messages}
            self._messages[queue] = set(state.queues[queue])
        self._secrets = {name: json.dumps(secret) for name, secret in state.secrets.items()}
        return state

    def _fail(self, error: OSError) -> None:
        if self._in_file and self._journal:
            self._in_file = False
            _tell(
                f"{self._journal.path} cannot be written: {error.strerror}. The stack goes on, "
                "and saves everything as soon as that works again."
            )


def _change(table: str, record: emulator.Record) -> Change:
    data = record["dynamodb"]
    return {
        "table": table,
        "number": data["SequenceNumber"],
        "key": data["Keys"],
        "item": data.get("NewImage"),
    }


def _tell(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr, flush=True)
