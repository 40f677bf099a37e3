"""What changes in the backends, and what must be known of their tables to tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.local.backends.own_table import checkpoint_id, checkpoints

Item = dict[str, Any]
"""An item, or its key, in DynamoDB's own JSON."""
_FIRST, _LAST = "", "~"
"""Before and after all sequence numbers, which are digits."""


@dataclass(frozen=True)
class Schema:
    """The tables."""

    keys: Mapping[str, Sequence[str]]
    """The key attributes of each table."""
    consumers: Mapping[str, Sequence[str]]
    """The functions that read each table's stream."""

    def key(self, table: str, item: Item) -> Item:
        """Take the key of an item."""
        return {name: item[name] for name in self.keys[table]}

    def delivered(self, table: str, own_items: Iterable[Item]) -> str:
        """Find how far a table's stream has been delivered to all functions that read it.

        Returns:
            The sequence number of the last record that none of them needs any more.
        """
        reached = checkpoints(own_items)
        consumers = self.consumers.get(table, ())
        return min((reached.get(checkpoint_id(table, name), _FIRST) for name in consumers), default=_LAST)


@dataclass(frozen=True)
class ItemChange:
    """An item of a table was put or deleted."""

    table: str
    key: Item
    item: Item | None
    """None if it was deleted."""
    record: Any = None
    """The record in the table's stream; None if no function has yet to read it."""


@dataclass(frozen=True)
class Delivery:
    """All functions that read a table's stream are done with the records up to a sequence number."""

    table: str
    number: str


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


Change = ItemChange | Delivery | QueueChange | SecretChange
