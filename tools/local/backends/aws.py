"""DynamoDB, SQS, EventBridge and Secrets Manager: each change is saved before it is acknowledged."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.local.backends import emulator
from tools.local.backends.changes import (
    LAST,
    Change,
    Checkpoint,
    ItemChange,
    NotSaved,
    QueueChange,
    Schema,
    SecretChange,
)
from tools.local.backends.state import StateFile

_DYNAMODB = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
"""The identity that deletes expired items."""
_READ_ONLY = ("Get", "Query", "Scan", "Describe", "List", "BatchGet", "TransactGet")


class Aws:
    """The emulator, one request at a time, and its state."""

    def __init__(self, schema: Schema, state: StateFile | None) -> None:
        """Begin without resources; without a state file, nothing is saved."""
        self.changed = threading.Condition(threading.RLock())
        """Held while something is handled; notified of each change."""
        self._schema = schema
        self._state = state
        self._positions = dict.fromkeys(schema.keys, 0)
        """How much of each table's stream is saved."""
        self._checkpoints: dict[tuple[str, str], str] = {}
        self._messages: dict[str, dict[str, emulator.Message]] = {}
        self._secrets: dict[str, str] = {}
        self._is_recording = False
        self._can_save = True

    def restore(self) -> None:
        """Restore the empty tables, queues and secrets, and start saving changes.

        Raises:
            NotSaved: the secrets of a new stack cannot be saved.
            sqlite3.Error, ValueError: the state is damaged.
        """
        emulator.enter_account()
        emulator.keep_expired()
        for table in self._schema.keys:
            emulator.enable_stream(table)
        if self._state:
            self._load(self._state)
        for queue, messages in emulator.queues():
            self._messages[queue] = {message["id"]: message for message in messages}
        self._is_recording = True
        with self.changed:
            self._save(list(self._changes("secretsmanager")))  # the secrets of a new stack

    def _load(self, state: StateFile) -> None:
        for table in self._schema.keys:
            emulator.load_items(table, state.items(table))
            self._positions[table] = emulator.load_records(table, state.records(table))
        self._checkpoints = state.checkpoints()
        emulator.number_records_after(state.highest_number())
        for queue, _ in emulator.queues():
            emulator.load_messages(queue, state.messages(queue))
        for name, _ in emulator.secrets():
            if secret := state.secret(name):
                emulator.load_secret(name, secret)
                self._secrets[name] = json.dumps(secret)

    def handle(self, headers: Mapping[str, str], body: bytes) -> emulator.Reply:
        """Handle a request in AWS's JSON protocol.

        Args:
            headers: The request's headers, their names in lower case.
            body: Its body.

        Raises:
            UnknownService: `x-amz-target` names none of the services.
            NotSaved: what it changed cannot be saved, and was undone.
        """
        with self.changed:
            reply = emulator.handle(headers, body)
            service, _, name = headers["x-amz-target"].rpartition(".")
            if self._is_recording and not name.startswith(_READ_ONLY):
                try:
                    self._save([*self._changes(service), *self._hidden(name, body)])
                except NotSaved:
                    emulator.forget_transaction(body)
                    raise
        return reply

    def call(self, target: str, **request: Any) -> dict[str, Any]:
        """Call an operation of AWS, such as `AmazonSQS.SendMessage`.

        Raises:
            LookupError: it is refused, such as for a queue that is not there.
            NotSaved: what it changed cannot be saved, and was undone.
        """
        status, _, reply = self.handle({"x-amz-target": target}, json.dumps(request).encode())
        answer: dict[str, Any] = json.loads(reply) if reply else {}
        if status != 200:
            raise LookupError(f"{target}: {answer.get('message')}")
        return answer

    def checkpoint(self, table: str, function: str) -> str | None:
        """Find the sequence number that a function has reached in a table's stream, if it has begun."""
        return self._checkpoints.get((table, function))

    def advance(self, table: str, function: str, number: str) -> None:
        """Note the sequence number that a function has reached in a table's stream.

        Raises:
            NotSaved: it cannot be saved.
        """
        with self.changed:
            reached = self._checkpoints | {(table, function): number}
            emulator.enter_account()
            self._save([Checkpoint(table, function, number, self._schema.delivered(table, reached))])

    def expire(self) -> None:
        """Delete items whose time to live is over, as DynamoDB does; the stream tells who deleted them.

        See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
        """
        now = int(time.time())
        for table, attribute in self._schema.expiries.items():
            with self.changed:
                emulator.enter_account()
                expired = emulator.expired(table, attribute, now)
            for item in expired:
                with self.changed, contextlib.suppress(NotSaved):  # then it is deleted the next time
                    self._expire(table, self._schema.key(table, item), attribute, now)

    def _expire(self, table: str, key: emulator.Item, attribute: str, now: int) -> None:
        request = {
            "TableName": table,
            "Key": key,
            "ConditionExpression": "#expiry <= :now",  # it may have changed since it was read
            "ExpressionAttributeNames": {"#expiry": attribute},
            "ExpressionAttributeValues": {":now": {"N": str(now)}},
        }
        emulator.handle({"x-amz-target": "DynamoDB_20120810.DeleteItem"}, json.dumps(request).encode())
        for record in emulator.records(table, self._positions[table]):
            record["userIdentity"] = _DYNAMODB
        self._save(list(self._changes("DynamoDB")))

    def sync(self) -> None:
        """Sync the state to the disk. The next write reports an error."""
        if self._state:
            with self.changed, contextlib.suppress(sqlite3.Error, OSError):
                self._state.sync()

    def _save(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        if self._state:
            try:
                self._state.save(changes)
            except (sqlite3.Error, OSError) as error:
                self._undo()
                self._tell(error)
                raise NotSaved from error
            self._tell(None)
        for change in changes:
            self._accept(change)
        self.changed.notify_all()

    def _changes(self, service: str) -> Iterator[Change]:
        if service.startswith("DynamoDB"):
            for table in self._schema.keys:
                is_read = table in self._schema.consumers
                for record in emulator.records(table, self._positions[table]):
                    data = record["dynamodb"]
                    yield ItemChange(table, data["Keys"], data.get("NewImage"), record if is_read else None)
        elif service in {"AmazonSQS", "AWSEvents"}:  # the targets of rules are queues
            for queue, messages in emulator.queues():
                known, now = self._messages.get(queue, {}), {message["id"] for message in messages}
                if now != known.keys():
                    sent = [message for message in messages if message["id"] not in known]
                    yield QueueChange(queue, sent, list(known.keys() - now))
        else:
            for name, secret in emulator.secrets():
                if self._secrets.get(name) != json.dumps(secret):
                    yield SecretChange(name, secret)

    def _hidden(self, operation: str, body: bytes) -> Iterator[Change]:
        """Yield the message whose visibility timeout was changed. Receiving alone is not saved."""
        if operation == "ChangeMessageVisibility":
            handle = json.loads(body)["ReceiptHandle"]
            for queue, messages in emulator.queues():
                hidden = [each for each in messages if each["receipt_handle"] == handle]
                if hidden:
                    yield QueueChange(queue, hidden, ())

    def _accept(self, change: Change) -> None:
        """Record that a change was saved."""
        match change:
            case ItemChange(table):
                self._positions[table] += 1
                if table not in self._schema.consumers:
                    emulator.trim(table, LAST)
            case Checkpoint(table, function, number, delivered):
                self._checkpoints[table, function] = number
                emulator.trim(table, delivered)
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
        """Report once that nothing can be saved, and once that it can again."""
        if self._can_save == (error is None) or self._state is None:
            return
        self._can_save = error is None
        text = f"{self._state.path} can be written again."
        if error is not None:
            reason = error.strerror if isinstance(error, OSError) else error
            text = f"{self._state.path} cannot be written: {reason}. Writes are refused until it can."
        print(f"warning: {text}", file=sys.stderr, flush=True)
