"""Queries of sorted indexes return what ministack's own queries do, and read no more than they return."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence, Sized
from dataclasses import replace
from time import time_ns
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.tasks.indexes import StatusShards
from shared.tasks.listing import TaskListing
from shared.tasks.query import Sort, TaskQuery
from shared.tasks.table import item_from_task
from shared.tasks.task import Task
from shared.tasks.trash import Trash
from shared.tasks.trash_items import put_in_trash
from shared.users.directory import Directory
from shared.users.table import UsersTable
from shared.users.user import LISTED
from tests.aws import template_resources
from tests.nightly import often
from tests.tasks import new_task
from tools.local.backends import emulator

_numbers = itertools.count()
INDEX = "by-group"

groups = st.sampled_from("AB")
times = st.integers(0, 6)
operators = st.sampled_from(["< :time", "<= :time", "> :time", ">= :time", "BETWEEN :time AND :last", ""])
limits = st.integers(1, 4) | st.none()
writes = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "update"]), st.integers(0, 9), groups, times), max_size=25
)
queries = st.lists(st.tuples(groups, operators, times, times, st.booleans(), limits), min_size=1, max_size=5)


def call(operation: str, **request: Any) -> dict[str, Any]:
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    status, _, reply = emulator.handle(headers, json.dumps(request).encode())
    assert status == 200, reply
    answer: dict[str, Any] = json.loads(reply)
    return answer


def listed(client: Any, **filters: Any) -> Sequence[Task]:
    listing = TaskListing(client=client, table="TasksTable", shards=StatusShards())
    return listing.page(TaskQuery(limit=20, **filters)).tasks


@pytest.fixture(scope="module")
def tables() -> None:
    """The template's tables, with a thousand tasks, as many in the trash, and as many users."""
    for name, resource in template_resources().items():
        if resource["Type"] == "AWS::DynamoDB::Table":
            shape = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
            properties = {key: resource["Properties"][key] for key in shape if key in resource["Properties"]}
            call("CreateTable", TableName=name, BillingMode="PAY_PER_REQUEST", **properties)
    tasks = [
        replace(new_task(f"Task {number}"), created_at=number, due_at=number, assignee="ada")
        for number in range(1_000)
    ]
    emulator.load_items("TasksTable", [item_from_task(task, StatusShards()) for task in tasks])
    now = time_ns() // 1_000
    trashed = [put_in_trash("TasksTable", task, now, 86_400)["Put"]["Item"] for task in tasks]
    emulator.load_items("TasksTable", trashed)
    names = [{"S": f"user-{number}"} for number in range(1_000)]
    users = [{"username": name, "display_name": name, "listed": {"S": LISTED}} for name in names]
    emulator.load_items("UsersTable", users)


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


def query(
    table: str, group: str, condition: str, time: int, length: int, forward: bool, limit: int | None
) -> Any:
    bounds = {":time": {"N": str(time)}, ":last": {"N": str(time + length)}}
    request: dict[str, Any] = {
        "TableName": table,
        "IndexName": INDEX,
        "KeyConditionExpression": f"#group = :group AND created_at {condition}"
        if condition
        else "#group = :group",
        "ExpressionAttributeNames": {"#group": "group"},
        "ExpressionAttributeValues": {
            ":group": {"S": group},
            **{name: value for name, value in bounds.items() if name in condition},
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


@pytest.mark.parametrize(
    "read",
    [
        lambda client: listed(client),
        lambda client: listed(client, created_before=200_000_000),
        lambda client: listed(client, sort=Sort.DUE_AT),
        lambda client: listed(client, assignee="ada"),
        lambda client: Trash(client=client, table="TasksTable", history="").page(20).tasks,
        lambda client: Directory(UsersTable(client, "UsersTable")).page(None, 20, None)[0],
    ],
    ids=["newest", "before", "due", "assignee", "trash", "users"],
)
def test_the_apis_pages_read_little_more_than_they_return(
    tables: None, read: Callable[[Any], Sized], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Any] = []
    order = emulator.dynamodb._index_order_value
    monkeypatch.setattr(
        emulator.dynamodb, "_index_order_value", lambda *key: looked_at.append(key) or order(*key)
    )
    client = SimpleNamespace(query=lambda **request: call("Query", **request))
    assert len(read(client)) == 20  # sorts the partitions
    looked_at.clear()
    assert len(read(client)) == 20
    assert 20 < len(looked_at) < 400
