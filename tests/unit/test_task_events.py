"""Events of tasks: into the queue in order, and in as few calls as SQS takes."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from shared.tasks.events import EventQueue, TaskEvent
from tests.task_events import Queue, new_event


def numbered(sizes: list[int]) -> list[TaskEvent]:
    return [
        TaskEvent("task.created", str(number), {"description": "x" * size})
        for number, size in enumerate(sizes)
    ]


@given(st.lists(st.integers(0, 120_000), max_size=35))
def test_all_go_in_order_in_calls_that_sqs_takes(sizes: list[int]) -> None:
    queue = Queue()
    assert EventQueue(queue, "queue").publish(numbered(sizes)) == len(sizes)  # type: ignore[arg-type]
    assert list(itertools.chain(*queue.calls)) == [str(number) for number in range(len(sizes))]


@given(st.sets(st.integers(0, 24), min_size=1))
def test_what_sqs_refuses_is_where_publishing_ended(refused: set[int]) -> None:
    queue = Queue()
    queue.refused = {str(number) for number in refused}
    assert EventQueue(queue, "queue").publish(numbered([10] * 25)) == min(refused)  # type: ignore[arg-type]


def test_small_events_share_calls() -> None:
    queue = Queue()
    EventQueue(queue, "queue").publish(numbered([10] * 25))  # type: ignore[arg-type]
    assert [len(call) for call in queue.calls] == [10, 10, 5]


@given(st.text(min_size=1))
@example("\ufffe\uffff")
def test_sqs_takes_any_title(title: str) -> None:
    EventQueue(Queue(), "queue").publish([new_event(title)])  # type: ignore[arg-type]
