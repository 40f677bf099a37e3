"""Progress of reminders: a watermark, and a memory of the tasks just before it, each an item of a table."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from shared import aws
from shared.tasks.indexes import due_key
from shared.tasks.position import Position

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.aws import Item

OVERLAP = 300
"""Seconds for which the due index may lag behind the table."""
_MAX_PUBLISHED = 20_000
"""Maximum of recorded tasks: half of an item's limit."""
_DIGEST = 8
"""Bytes of a digest of a task's id."""
_WATERMARK, _MEMORY = "remind", "remind-memory"


class Overtaken(Exception):
    """Another run has moved the watermark."""


class Watermark(NamedTuple):
    """The place in the due index up to which events were published."""

    until: Position
    looked_back_at: int
    """When the minutes before that place were last read again: a Unix time in seconds."""


class Memory:
    """Tasks whose events were published, by their due dates."""

    def __init__(self, item: Item | None, now: int) -> None:
        """Read it from its item, if that exists."""
        self.since = int(item["since"]["N"]) if item else 0
        """The due date up to which tasks were forgotten for lack of room; 0 if none were."""
        if self.since > now:  # by a clock that was ahead
            self.since = 0
        self._published: defaultdict[int, set[bytes]] = defaultdict(set)
        for due_at, joined in item["told"]["M"].items() if item else ():
            digests = bytes(joined["B"])
            starts = range(0, len(digests), _DIGEST)
            self._published[int(due_at)] = {digests[start : start + _DIGEST] for start in starts}

    def __len__(self) -> int:
        return sum(map(len, self._published.values()))

    def add(self, position: Position) -> None:
        """Remember a task by its place in the due index."""
        self._published[position.at].add(_digest(position.task_id))

    def has(self, position: Position) -> bool:
        """Whether the task at a position is recorded."""
        return _digest(position.task_id) in self._published.get(position.at, ())

    def forget(self, until: int) -> None:
        """Drop tasks due by a time and, while there are too many, those with the next due dates."""
        kept = len(self)
        for due_at in sorted(self._published):
            if due_at > until:
                if kept <= _MAX_PUBLISHED:
                    return
                self.since = due_at
            kept -= len(self._published.pop(due_at))

    def to_item(self) -> Item:
        """Convert to the item that keeps it."""
        digests_by_time = {
            str(due_at): {"B": b"".join(sorted(digests))} for due_at, digests in self._published.items()
        }
        return {"id": {"S": _MEMORY}, "since": {"N": str(self.since)}, "told": {"M": digests_by_time}}


class Progress:
    """Reads and writes both items; their table is `NOTIFIED_TABLE` by default."""

    def __init__(self, client: DynamoDBClient | None = None, table: str | None = None) -> None:
        self._client = client or aws.client("dynamodb")
        self._table = table or os.environ["NOTIFIED_TABLE"]

    def begin(self, now: int) -> Watermark:
        """Read the watermark. The first run, and one after a clock was ahead, puts it near the present.

        Raises:
            Overtaken: another run has begun, too.
        """
        stored = self._read(_WATERMARK)
        if not stored:
            return self.move(None, Watermark(end_of(now - OVERLAP), now))
        at, _, task_id = stored["until"]["S"].partition("#")
        found = Watermark(Position(int(at), task_id), int(stored["looked_back_at"]["N"]))
        if max(found.until.at, found.looked_back_at) <= now:
            return found
        return self.move(found, Watermark(min(found.until, end_of(now)), min(found.looked_back_at, now)))

    def move(self, seen: Watermark | None, watermark: Watermark) -> Watermark:
        """Replace the watermark that was read, and return the new one.

        Raises:
            Overtaken: another one is there.
        """
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    "id": {"S": _WATERMARK},
                    "until": {"S": due_key(watermark.until)},
                    "looked_back_at": {"N": str(watermark.looked_back_at)},
                },
                ConditionExpression="attribute_not_exists(id) OR #until = :seen",
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues={":seen": {"S": due_key(seen.until) if seen else ""}},
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise Overtaken from error
        return watermark

    def recall(self, now: int) -> Memory:
        """Read the memory."""
        return Memory(self._read(_MEMORY), now)

    def remember(self, memory: Memory) -> None:
        """Store the memory."""
        self._client.put_item(TableName=self._table, Item=memory.to_item())

    def _read(self, item_id: str) -> Item | None:
        key: Any = {"id": {"S": item_id}}
        return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")


def end_of(second: int) -> Position:
    """Find where the tasks that are due in a second end: after any id."""
    return Position(second, "~")


def _digest(task_id: str) -> bytes:
    return hashlib.blake2b(task_id.encode(), digest_size=_DIGEST).digest()
