"""Queries of an index whose cost depends on their result, not on the index's size.

ministack sorts a whole partition of the index for each query. Here partitions are kept sorted, and ministack
is shown only as many of their items as the query may return; everything else about a query remains its own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from sortedcontainers import SortedDict

_CONDITION = re.compile(
    r"\s*(?P<hash>\S+)\s*=\s*(?P<value>\S+?)"
    r"(?:\s+AND\s+(?P<range>\S+?)"
    r"(?:\s*(?P<operator><=|<|>=|>)\s*(?P<bound>\S+)|\s+BETWEEN\s+(?P<first>\S+)\s+AND\s+(?P<last>\S+)))?\s*",
    re.IGNORECASE,
)
"""The key conditions that are handled here; ministack handles all others."""
_ORDERS = "_sorted_partitions"
"""The field of ministack's table that keeps its sorted partitions, by index and partition key."""
_TOP = "\U0010ffff"
"""Sorts after any key that is text."""

Table = dict[str, Any]
Key = tuple[str, str]
"""The base table's partition and sort key of an item."""


class SortedIndexes:
    """Keeps the partitions of ministack's indexes sorted."""

    def __init__(self, dynamodb: ModuleType) -> None:
        """Take the place of two functions of ministack's DynamoDB, and call them."""
        self._dynamodb = dynamodb
        self._query, self._index_item = dynamodb._query, dynamodb._index_item
        dynamodb.__dict__.update(_query=self.query, _index_item=self.index_item)

    def query(self, request: dict[str, Any]) -> Any:
        """Answer a query."""
        try:
            members, partition, window = self._window(request)
            whole = members[partition]
        except (LookupError, TypeError, ValueError):  # a query of another kind, or an invalid one
            return self._query(request)
        members[partition] = dict.fromkeys(window)
        try:
            return self._query(request)
        finally:
            members[partition] = whole

    def index_item(self, table: Table, base_pk: str, base_sk: str, item: Any, add: bool) -> None:
        """Record that an item joins the indexes, or leaves them."""
        self._index_item(table, base_pk, base_sk, item, add)
        orders = table.get(_ORDERS)
        if not orders:
            return
        for index, hashes, ranges in self._dynamodb._index_key_schemas(table):
            order = orders.get((index, self._dynamodb._index_partition(item, hashes, ranges)))
            if order is None:
                continue
            place = self._place(table, ranges, item)
            if add:
                order[place] = (base_pk, base_sk)
            else:
                order.pop(place, None)

    def _window(self, request: dict[str, Any]) -> tuple[dict[Any, Any], Any, Iterable[Key]]:
        """Find the items that a query may return.

        Returns:
            The index's members by partition, the partition that is asked for, and its items in question.

        Raises:
            LookupError, TypeError, ValueError: the query is not of the kind that is understood here.
        """
        dynamodb = self._dynamodb
        table = dynamodb._tables[request["TableName"]]
        index = dynamodb._index_def(table, request["IndexName"])
        (hash_key,), (range_key,) = dynamodb._index_key_lists(index)
        condition = _CONDITION.fullmatch(request["KeyConditionExpression"])
        if condition is None:
            raise ValueError(request["KeyConditionExpression"])
        names = request.get("ExpressionAttributeNames", {})
        values = request["ExpressionAttributeValues"]
        asked = [names.get(condition[group], condition[group]) for group in ("hash", "range")]
        if asked not in ([hash_key, range_key], [hash_key, None]):
            raise ValueError(asked)
        partition = dynamodb._extract_key_val(values[condition["value"]])
        order = self._order(table, request["IndexName"], [range_key], partition)

        def edge(group: str) -> tuple[Any, ...]:
            kind = dynamodb._get_attr_type(table, range_key)
            return (dynamodb._sort_key_value(values[condition[group]], kind),)

        low: tuple[Any, ...] | None = None
        high: tuple[Any, ...] | None = None
        match condition["operator"]:
            case "<":
                high = edge("bound")
            case "<=":
                high = (*edge("bound"), _TOP)
            case ">":
                low = (*edge("bound"), _TOP)
            case ">=":
                low = edge("bound")
            case None if condition["first"]:
                low, high = edge("first"), (*edge("last"), _TOP)
        backward = not request.get("ScanIndexForward", True)
        if start := request.get("ExclusiveStartKey"):
            place = self._place(table, [range_key], start)
            if backward:
                high = place if high is None else min(high, place)
            else:
                low = place if low is None else max(low, place)
        places = order.irange(low, high, inclusive=(False, False), reverse=backward)
        most = request.get("Limit")
        window = itertools.islice(places, None if most is None else int(most) + 1)
        return dynamodb._index_members(table)[request["IndexName"]], partition, [order[p] for p in window]

    def _order(self, table: Table, index: str, ranges: list[str], partition: Any) -> Any:
        """Find the sorted items of a partition; they are sorted when they are first asked for."""
        orders = table.setdefault(_ORDERS, {})
        if (index, partition) not in orders:
            members = self._dynamodb._index_members(table)[index][partition]
            items = table["items"]
            orders[index, partition] = SortedDict(
                (self._place(table, ranges, items[pk][sk]), (pk, sk)) for pk, sk in members
            )
        return orders[index, partition]

    def _place(self, table: Table, ranges: list[str], item: Any) -> tuple[Any, ...]:
        """Make the sort key that ministack uses for an item of an index."""
        keys = self._dynamodb._index_order_keys(table, ranges)
        return tuple(self._dynamodb._index_order_value(item, name, kind) for name, kind in keys)
