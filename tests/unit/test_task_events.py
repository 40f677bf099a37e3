"""Task events: which event each stream record causes, and how events get onto the bus."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any, cast, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.tasks.bus import EventBus
from shared.tasks.document import task_document
from shared.tasks.events import RESTORED_AT, EventType, TaskEventDocument, due_event, event_of
from shared.tasks.task import NOBODY, Author, Task, TaskStatus
from shared.webhooks.queue import DeliveryQueue
from tests.task_events import (
    ADA,
    Bus,
    new_event,
    record,
    record_of_purge,
    record_of_removal,
    record_of_trash,
    trash_item,
)
from tests.tasks import new_task

TASK = replace(new_task(author=ADA), created_at=1_767_225_600_123_456, updated_at=1_767_225_600_123_456)
GRACE = Author("grace", "request-2")
LARGEST = {"title": "\U0001f5d3" * 200, "description": '\U0001f5d3"' * 5_000}


def on(bus: Bus) -> EventBus:
    return EventBus(cast("Any", bus), "bus")


def numbered(sizes: list[int]) -> list[TaskEventDocument]:
    event = new_event()
    return [
        {**event, "id": str(number), "data": {**event["data"], "changes": {"description": ["x" * size]}}}
        for number, size in enumerate(sizes)
    ]


def test_a_created_event_names_its_user() -> None:
    assert event_of(record(None, TASK)) == {
        "specversion": "1.0",
        "id": f"{TASK.id}:1",
        "source": "/task-api/tasks",
        "type": "task.created",
        "subject": TASK.id,
        "time": "2026-01-01T00:00:00.123456Z",
        "datacontenttype": "application/json",
        "data": {
            "task": task_document(TASK),
            "version": 1,
            "changes": {},
            "by": "ada",
            "request_id": "request-1",
        },
    }


def test_an_updated_event_has_the_changes_and_names_its_user() -> None:
    changed = TASK.next_version(GRACE, status=TaskStatus.COMPLETED, updated_at=TASK.updated_at + 5_000_000)
    event = event_of(record(TASK, changed))
    assert event
    assert (event["type"], event["id"]) == ("task.updated", f"{TASK.id}:2")
    assert event["data"]["changes"] == {"status": ["PENDING", "COMPLETED"]}
    assert (event["data"]["by"], event["data"]["request_id"]) == ("grace", "request-2")


def test_a_deleted_event_has_the_task_and_names_its_user() -> None:
    event = event_of(record_of_trash(TASK.next_version(GRACE)))
    assert event
    assert (event["type"], event["id"]) == ("task.deleted", f"{TASK.id}:2")
    assert event["data"]["task"] == task_document(TASK)
    assert event["data"]["by"] == "grace"


def test_a_restore_is_no_created_event() -> None:
    restored = TASK.next_version(ADA).next_version(GRACE, updated_at=TASK.updated_at + 5_000_000)
    event = event_of(record(None, restored))
    assert event
    assert (event["type"], event["id"]) == ("task.restored", f"{TASK.id}:3")
    assert (event["data"]["by"], event["data"]["changes"]) == ("grace", {})


def test_a_purged_event_has_the_task_and_names_its_user() -> None:
    event = event_of(record_of_purge(TASK.next_version(ADA), GRACE, 1_767_225_700_000_000))
    assert event
    assert (event["type"], event["id"]) == ("task.purged", f"{TASK.id}:3")
    assert event["time"] == "2026-01-01T00:01:40Z"
    assert event["data"]["task"] == task_document(TASK)
    assert (event["data"]["by"], event["data"]["request_id"]) == ("grace", "request-2")


def test_an_expired_task_is_purged_by_nobody() -> None:
    event = event_of(record_of_removal(trash_item(TASK.next_version(ADA)), by_dynamodb=True))
    assert event
    assert (event["type"], event["id"]) == ("task.purged", f"{TASK.id}:3")
    assert event["time"] == "2026-01-01T00:00:00Z"
    assert (event["data"]["by"], event["data"]["request_id"]) == (None, None)


@pytest.mark.parametrize(
    "silent",
    [
        record(TASK, TASK),  # moved to another shard
        record(TASK, None),
        {"dynamodb": {"Keys": {"pk": {"S": "TITLE#Buy milk"}}, "NewImage": {"task_id": {"S": TASK.id}}}},
        record_of_removal(trash_item(TASK), by_dynamodb=False),  # it was restored
        record_of_removal({"pk": {"S": f"TRASH#{TASK.id}"}}, by_dynamodb=True),  # what a purge leaves
        {
            **record_of_trash(TASK),
            "dynamodb": {**record_of_trash(TASK)["dynamodb"], "OldImage": trash_item(TASK)},
        },
    ],
)
def test_other_records_cause_no_events(silent: dict[str, Any]) -> None:
    assert event_of(silent) is None


@pytest.mark.parametrize("before", [None, TASK])
def test_restored_tables_cause_no_events(before: Task | None) -> None:
    """Until somebody changes a restored item; also if it was restored before."""
    for written in (record(before, TASK.next_version(ADA)), record_of_trash(TASK.next_version(ADA))):
        images = written["dynamodb"]
        images["NewImage"] = {**images["NewImage"], RESTORED_AT: {"N": "2"}}
        assert event_of(written) is None
        images["OldImage"] = {**images["NewImage"], RESTORED_AT: {"N": "1"}}
        assert event_of(written) is None
    change = record(TASK, TASK.next_version(GRACE, description="one litre"))
    for image in ("OldImage", "NewImage"):
        change["dynamodb"][image] = {**change["dynamodb"][image], RESTORED_AT: {"N": "2"}}
    event = event_of(change)
    assert event
    assert event["type"] == "task.updated"


def test_events_of_each_type_match_their_schema() -> None:
    records = [
        record(None, TASK),
        record(TASK, TASK.next_version(GRACE, description="one litre", status=TaskStatus.IN_PROGRESS)),
        record_of_trash(TASK.next_version(NOBODY)),
        record(None, TASK.next_version(GRACE)),
        record_of_purge(TASK, GRACE, TASK.updated_at),
    ]
    events = [event for each in records if (event := event_of(each))]
    events.append(due_event(replace(TASK, due_at=1_767_225_600)))
    assert [event["type"] for event in events] == list(get_args(EventType))
    assert on(Bus()).publish(events) == len(events)  # the fake bus validates them


@given(st.lists(st.integers(0, 120_000), max_size=35))
def test_events_are_published_in_order_within_eventbridges_limits(sizes: list[int]) -> None:
    bus = Bus()
    assert on(bus).publish(numbered(sizes)) == len(sizes)
    assert [event["id"] for event in itertools.chain(*bus.calls)] == [str(n) for n in range(len(sizes))]


@given(st.sets(st.integers(0, 24), min_size=1))
def test_publishing_stops_at_a_refused_event(refused: set[int]) -> None:
    bus = Bus()
    bus.refused = {str(number) for number in refused}
    assert on(bus).publish(numbered([10] * 25)) == min(refused)


def test_small_events_share_calls() -> None:
    bus = Bus()
    on(bus).publish(numbered([10] * 25))
    assert [len(call) for call in bus.calls] == [10, 10, 5]


def test_the_largest_change_fits_into_an_event() -> None:
    old = new_task(**LARGEST)
    new = old.next_version(ADA, title="\U0001f5d1" * 200, description='\U0001f5d1"' * 5_000)
    event = event_of(record(old, new))
    assert event
    assert on(bus := Bus()).publish([event]) == 1
    assert bus.calls[0][0]["data"]["changes"].keys() == {"title", "description"}


@given(st.text(min_size=1))
@example("\ufffe\uffff")
def test_any_title_arrives_unchanged(title: str) -> None:
    on(bus := Bus()).publish([new_event(title)])
    assert bus.calls[0][0]["data"]["task"]["title"] == title


@given(st.integers(0, 30), st.integers(0, 120_000))
def test_deliveries_are_queued_within_sqs_limits(webhooks: int, size: int) -> None:
    sent: list[str] = []

    class Sqs:
        def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
            assert 1 <= len(Entries) <= 10
            assert sum(len(entry["MessageBody"].encode()) for entry in Entries) <= 262_144
            for entry in Entries:
                assert json.loads(entry["MessageBody"])["webhook_id"] == entry["MessageGroupId"]
                sent.append(entry["MessageGroupId"])
            return {}

    ids = [str(number) for number in range(webhooks)]
    DeliveryQueue(cast("Any", Sqs()), "queue").send({"data": "\U0001f5d3" * (size // 4)}, ids)
    assert sent == ids
