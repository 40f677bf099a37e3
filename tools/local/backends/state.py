"""What the local stack keeps: the content of tables, secrets and queues, and how it changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.local.backends.own_table import OWN_TABLE, checkpoint_id, checkpoints

Item = dict[str, Any]
"""An item in DynamoDB's own JSON."""
Change = dict[str, Any]
"""One line of the state file after the first: what changed in a table, a queue or a secret."""
_FIRST, _LAST = "", "~"
"""Before and after all sequence numbers, which are digits."""


@dataclass(frozen=True)
class Schema:
    """What must be known of the tables."""

    keys: Mapping[str, Sequence[str]]
    """The key attributes of each table."""
    consumers: Mapping[str, Sequence[str]]
    """The functions that read each table's stream."""

    def key(self, table: str, item: Item) -> str:
        """Identify an item in its table."""
        return json.dumps([item[name] for name in self.keys[table]])

    def delivered(self, table: str, own_items: Iterable[Item]) -> str:
        """Find how far a table's stream has been delivered to all functions that read it.

        Returns:
            The sequence number of the last record that none of them needs any more.
        """
        reached = checkpoints(own_items)
        consumers = self.consumers.get(table, ())
        return min((reached.get(checkpoint_id(table, name), _FIRST) for name in consumers), default=_LAST)


@dataclass
class State:
    """The content of the backends at one moment."""

    tables: dict[str, dict[str, Item]] = field(default_factory=dict)
    """Items by table and key, without the changes that are pending."""
    secrets: dict[str, Any] = field(default_factory=dict)
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Messages by queue and id."""
    pending: list[Change] = field(default_factory=list)
    """Changes of tables, in order, that are in the stream for some function to read."""

    def to_json(self) -> str:
        """Write the first line of a state file; what is pending comes after it, a line each."""
        return json.dumps(
            {
                "tables": {name: list(items.values()) for name, items in self.tables.items()},
                "secrets": self.secrets,
                "queues": {name: list(messages.values()) for name, messages in self.queues.items()},
            }
        )


def read_state(lines: Iterator[str], schema: Schema) -> State:
    """Make the state of the lines of its file.

    Tables and queues that the template no longer has are left out.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: they are not those of a state file.
    """
    first = json.loads(next(lines, '{"tables": {}}'))
    state = State(secrets=dict(first.get("secrets", {})))
    for table, items in first["tables"].items():
        if table in schema.keys:
            state.tables[table] = {schema.key(table, item): item for item in items}
    for queue, messages in first.get("queues", {}).items():
        state.queues[queue] = {message["id"]: message for message in messages}
    changes = [json.loads(line) for line in lines]
    for change in changes:
        if change.get("table") == OWN_TABLE:
            _apply(state, change, schema)
    own_items = state.tables.get(OWN_TABLE, {}).values()
    delivered = {table: schema.delivered(table, own_items) for table in schema.keys}
    for change in changes:
        table = change.get("table")
        if table is None:
            _apply(state, change, schema)
        elif table in schema.keys and table != OWN_TABLE:
            if change["number"] <= delivered[table]:
                _apply(state, change, schema)
            else:
                state.pending.append(change)
    return state


def _apply(state: State, change: Change, schema: Schema) -> None:
    if "table" in change:
        items = state.tables.setdefault(change["table"], {})
        key = schema.key(change["table"], change["key"])
        if change["item"] is None:
            items.pop(key, None)
        else:
            items[key] = change["item"]
    elif "queue" in change:
        messages = state.queues.setdefault(change["queue"], {})
        messages.update((message["id"], message) for message in change["sent"])
        for gone in change["gone"]:
            messages.pop(gone, None)
    else:
        state.secrets[change["secret"]] = change["value"]
