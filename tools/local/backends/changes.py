"""Changes of the backends' state, and its schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, Any]
"""An item, or its key, in DynamoDB's own JSON."""
FIRST, LAST = "", "~"
"""Before and after all sequence numbers, which are digits."""


class NotSaved(Exception):
    """A change could not be saved, and was undone."""


@dataclass(frozen=True)
class Schema:
    """The tables."""

    keys: Mapping[str, Sequence[str]]
    """The key attributes of each table."""
    consumers: Mapping[str, Sequence[str]]
    """The functions that read each table's stream."""
    expiries: Mapping[str, str] = field(default_factory=dict)
    """The TTL attribute of each table that has one."""

    def key(self, table: str, item: Item) -> Item:
        """Take the key of an item."""
        return {name: item[name] for name in self.keys[table]}

    def delivered(self, table: str, checkpoints: Mapping[tuple[str, str], str]) -> str:
        """Find how far a table's stream has been delivered to all functions that read it.

        Args:
            table: The table.
            checkpoints: The sequence number that each function has reached, by table and function.

        Returns:
            The sequence number of the last record that none of them needs any more.
        """
        return min(checkpoints.get((table, function), FIRST) for function in self.consumers[table])


@dataclass(frozen=True)
class ItemChange:
    """An item of a table was put or deleted."""

    table: str
    key: Item
    item: Item | None
    """None if it was deleted."""
    record: Any = None
    """The record in the table's stream; None if no function still has to read it."""


@dataclass(frozen=True)
class Checkpoint:
    """A function is done with the records of a table's stream up to a sequence number."""

    table: str
    function: str
    number: str
    delivered: str
    """Up to where all of the stream's functions are."""


@dataclass(frozen=True)
class QueueChange:
    """Messages came into a queue, or left it."""

    queue: str
    sent: Sequence[Any]
    gone: Iterable[str]
    """Their ids."""


@dataclass(frozen=True)
class SecretChange:
    """A secret has another value."""

    name: str
    secret: Any


Change = ItemChange | Checkpoint | QueueChange | SecretChange
