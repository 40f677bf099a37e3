"""`make republish`, for a stack in AWS and for a local one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.tasks.indexes import StatusShards
from shared.tasks.table import item_from_task
from tests.aws import template_resources
from tests.component.test_triggers import World
from tests.emulated import forget_aws
from tests.task_events import Bus, record
from tests.tasks import new_task
from tools.events.republish import main, store_of
from tools.local.backends.environment import STACK_NAME
from tools.stacks import Stack

Operate = Callable[..., tuple[int, str, str]]
EMPTY: Any = {"dynamodb": {"Keys": {"pk": {"S": "TASK#1"}}, "NewImage": {}}}


@pytest.fixture
def bus(clients: dict[str, Any]) -> Bus:
    """A fake bus that records published events."""
    clients["events"] = Bus()
    return clients["events"]  # type: ignore[no-any-return]


def put(stack: Stack, key: str, body: str) -> None:
    name = store_of(stack).name
    if stack.endpoint_url:
        stack.dynamodb.put_item(TableName=name, Item={"key": {"S": key}, "body": {"S": body}})
    else:
        stack.client("s3").put_object(Bucket=name, Key=key, Body=body)


def given_up(*records: Any, second: int = 0) -> str:
    timestamp = f"2026-01-01T00:00:{second:02}Z"
    return json.dumps({"timestamp": timestamp, "payload": json.dumps({"Records": records})})


def created(*titles: str) -> list[dict[str, Any]]:
    return [record(None, new_task(title)) for title in titles]


def titles(bus: Bus) -> list[str]:
    return [event["data"]["task"]["title"] for call in bus.calls for event in call]


def test_all_events_are_published_once_oldest_first(any_stack: Stack, operate: Operate, bus: Bus) -> None:
    names = [str(number) for number in range(25)]
    put(any_stack, "a", given_up(*created(*names), second=1))
    put(any_stack, "b", json.dumps({"timestamp": "2026-02", "payload": {"Records": created("last")}}))
    summary = operate(main, any_stack, "--dry-run")[1]
    assert (summary.count("\n"), bus.calls, store_of(any_stack).keys()) == (1, [], ["a", "b"])
    status, out, err = operate(main, any_stack)
    assert (status, err, store_of(any_stack).keys()) == (0, "", [])
    assert titles(bus) == [*names, "last"]
    assert bus.calls[0][0]["source"] == f"/{any_stack.name}/tasks"
    assert out.startswith(summary)
    assert out.splitlines()[1:] == [
        "0 of 2 objects, 20 events published",
        "2 of 2 objects, 26 events published",
    ]
    assert operate(main, any_stack)[0] == 0
    assert len(titles(bus)) == 26


@pytest.mark.parametrize("body", ["{", "[]", '{"payload": "{}"}', given_up(EMPTY), given_up(None)])
def test_a_broken_object_is_kept_and_named_and_the_others_are_published(
    any_stack: Stack, operate: Operate, bus: Bus, body: str
) -> None:
    put(any_stack, "broken", body)
    put(any_stack, "whole", given_up(*created("whole")))
    status, out, err = operate(main, any_stack)
    assert (status, titles(bus), store_of(any_stack).keys()) == (1, ["whole"], ["broken"])
    assert err.startswith("error: broken is kept: ")
    assert out.endswith("2 of 2 objects, 1 events published, 1 kept\n")


def test_a_refused_event_keeps_its_object(any_stack: Stack, operate: Operate, bus: Bus) -> None:
    before, refused, other = created("before", "refused", "other")
    id_ = f"{refused['dynamodb']['NewImage']['id']['S']}:1"
    bus.refused = {id_}
    put(any_stack, "a", given_up(before, refused))
    put(any_stack, "b", given_up(other))
    status, out, err = operate(main, any_stack)
    assert (status, store_of(any_stack).keys()) == (1, ["a"])
    assert err.endswith(f"error: a is kept: event {id_} was not published\n")
    assert out.endswith("2 of 2 objects, 2 events published, 1 kept\n")
    bus.refused = set()
    assert operate(main, any_stack)[0] == 0
    assert store_of(any_stack).keys() == []


@pytest.mark.parametrize("any_stack", ["make run"], indirect=True)
def test_records_that_the_local_stack_gives_up_reach_the_bucket(any_stack: Stack, operate: Operate) -> None:
    world, task = World(), new_task("Given up")
    item = item_from_task(task, StatusShards())
    world.aws.call("DynamoDB_20120810.PutItem", TableName="table", Item=item)
    world.function.bad, world.function.raises = {f"TASK#{task.id}"}, True
    world.stream_poller(retries=0, failures="given-up").poll()
    put(any_stack, "a", json.dumps(*world.given_up()))
    forget_aws()
    assert operate(main, any_stack)[0] == 0
    url = any_stack.queues()["NotificationsQueue"]
    (message,) = any_stack.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["detail"]["data"]["task"]["title"] == "Given up"


def test_the_local_stack_has_its_templates_name() -> None:
    assert template_resources()["EventBus"]["Properties"]["Name"] == STACK_NAME
