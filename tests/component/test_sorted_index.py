"""Queries of sorted indexes return what ministack's own queries do, and read no more than they return."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nightly import often
from tools.local.backends import emulator

_numbers = itertools.count()
INDEX = "by-group"

groups = st.sampled_from("AB")
times = st.integers(0, 6)
operators = st.sampled_from(["<", "<=", ">", ">=", None])
limits = st.integers(1, 4) | st.none()
writes = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "update"]), st.integers(0, 9), groups, times), max_size=25
)
queries = st.lists(st.tuples(groups, operators, times, st.booleans(), limits), min_size=1, max_size=5)


def call(operation: str, **request: Any) -> dict[str, Any]:
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    status, _, reply = emulator.handle(headers, json.dumps(request).encode())
    assert status == 200, reply
    answer: dict[str, Any] = json.loads(reply)
    return answer


def create_table() -> str:
    name = f"Table{next(_numbers)}"
    kinds = {"pk": "S", "group": "S", "created_at": "N"}
    key = [{"AttributeName": "group", "KeyType": "HASH"}, {"AttributeName": "created_at", "KeyType": "RANGE"}]
    call(
        "CreateTable",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": kind} for n, kind in kinds.items()],
        GlobalSecondaryIndexes=[
            {"IndexName": INDEX, "KeySchema": key, "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    return name


def write(table: str, kind: str, number: int, group: str, time: int) -> None:
    key = {"pk": {"S": str(number)}}
    if kind == "put":
        item = {**key, "group": {"S": group}, "created_at": {"N": str(time)}}
        call("PutItem", TableName=table, Item=item)
    elif kind == "delete":
        call("DeleteItem", TableName=table, Key=key)
    else:
        call(
            "UpdateItem",
            TableName=table,
            Key=key,
            UpdateExpression="SET #group = :group, created_at = :time",
            ExpressionAttributeNames={"#group": "group"},
            ExpressionAttributeValues={":group": {"S": group}, ":time": {"N": str(time)}},
        )


def query(table: str, group: str, operator: str | None, time: int, forward: bool, limit: int | None) -> Any:
    bound = f" AND created_at {operator} :time" if operator else ""
    request: dict[str, Any] = {
        "TableName": table,
        "IndexName": INDEX,
        "KeyConditionExpression": f"#group = :group{bound}",
        "ExpressionAttributeNames": {"#group": "group"},
        "ExpressionAttributeValues": {
            ":group": {"S": group},
            **({":time": {"N": str(time)}} if operator else {}),
        },
        "ScanIndexForward": forward,
        **({"Limit": limit} if limit else {}),
    }
    while True:
        answer = call("Query", **request)
        emulator.enter_account()
        expected = json.loads(emulator._indexes._query(request)[2])
        assert answer == expected
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@settings(max_examples=often(20, 300))
@given(writes, queries, writes)
def test_a_query_returns_what_ministack_returns(before: Any, asked: Any, after: Any) -> None:
    table = create_table()
    for each in before:
        write(table, *each)
    for each in asked:
        query(table, *each)
    for each in after:
        write(table, *each)
        query(table, *asked[0])
    for each in asked:
        query(table, *each)


def test_a_page_reads_no_more_than_it_returns() -> None:
    table = create_table()
    items = [{"pk": {"S": str(n)}, "group": {"S": "A"}, "created_at": {"N": str(n)}} for n in range(1_000)]
    emulator.load_items(table, items)
    seen: list[int] = []
    original = emulator._indexes._query

    def counting(request: Any) -> Any:
        members = emulator.dynamodb._index_members(emulator.dynamodb._tables[table])
        seen.append(len(members[INDEX]["A"]))
        return original(request)

    emulator._indexes._query = counting
    try:
        call(
            "Query",
            TableName=table,
            IndexName=INDEX,
            KeyConditionExpression="#group = :group AND created_at < :time",
            ExpressionAttributeNames={"#group": "group"},
            ExpressionAttributeValues={":group": {"S": "A"}, ":time": {"N": "500"}},
            ScanIndexForward=False,
            Limit=20,
        )
    finally:
        emulator._indexes._query = original
    assert seen == [21]
