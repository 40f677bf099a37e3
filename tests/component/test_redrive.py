"""`make redrive`, for a stack in AWS and for a local one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from moto.backends import get_backend

from tools.events import redrive
from tools.events.redrive import main
from tools.local.backends.environment import ACCOUNT, REGION
from tools.stacks import Stack

QUEUE, DEAD = "NotificationsQueue", "NotificationsDeadLetterQueue"
ATTRIBUTES = {
    "ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"},
    "signature": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}

Operate = Callable[..., tuple[int, str, str]]
in_aws = pytest.mark.parametrize("any_stack", ["AWS"], indirect=True)


def add_dead_letters(stack: Stack, *bodies: str) -> None:
    for body in bodies:
        stack.client("sqs").send_message(
            QueueUrl=stack.queues()[DEAD], MessageBody=body, MessageAttributes=ATTRIBUTES
        )


def count(stack: Stack, queue: str) -> int:
    """The messages in a queue, visible or in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = stack.client("sqs").get_queue_attributes(QueueUrl=stack.queues()[queue], AttributeNames=names)
    return sum(map(int, found["Attributes"].values()))


def receive(stack: Stack, **options: Any) -> list[dict[str, Any]]:
    wanted = {"QueueUrl": stack.queues()[QUEUE], "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
    return list(stack.client("sqs").receive_message(**wanted, **options).get("Messages", []))


def test_all_dead_letters_are_moved_once_and_unchanged(any_stack: Stack, operate: Operate) -> None:
    bodies = [f"{number}: Käse \U0001f9c0" for number in range(23)]
    add_dead_letters(any_stack, *bodies)
    summary = f"{QUEUE}: 23 dead letters in {DEAD}, to move back at 5 a second: 5 s\n"
    assert operate(main, any_stack, "--dry-run", "--rate", "5", "--queue", QUEUE) == (0, summary, "")
    status, out, err = operate(main, any_stack, "--rate", "5")
    assert (status, err) == (0, "")
    assert summary in out
    assert f"{QUEUE}: 23 of 23 moved\n" in out
    moved = [message for _ in range(3) for message in receive(any_stack)]
    assert sorted(message["Body"] for message in moved) == sorted(bodies)
    assert all(message["MessageAttributes"] == ATTRIBUTES for message in moved)
    assert (count(any_stack, QUEUE), count(any_stack, DEAD)) == (23, 0)
    assert f"{QUEUE}: 0 dead letters" in operate(main, any_stack)[1]


@in_aws
@pytest.mark.parametrize("name", [DEAD, "Other"])
def test_an_unknown_queue_is_refused_with_the_known_ones(
    any_stack: Stack, operate: Operate, name: str
) -> None:
    error = f"error: There is no queue {name} with a dead-letter queue. Queues that have one: {QUEUE}.\n"
    assert operate(main, any_stack, "--queue", name) == (2, "", error)


@in_aws
@pytest.mark.parametrize("ahead", [0, 60], ids=["clock is right", "clock is ahead"])
def test_dead_letters_that_arrive_meanwhile_are_left(
    any_stack: Stack, operate: Operate, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    sqs, url = any_stack.client("sqs"), any_stack.queues()[QUEUE]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["RedrivePolicy"]
    at_once = json.dumps({**json.loads(policy), "maxReceiveCount": 1})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": at_once})
    add_dead_letters(any_stack, *"abcde")
    monkeypatch.setattr(redrive, "time", SimpleNamespace(time=lambda: time.time() + ahead))
    failed: list[str] = []

    def fail_again(**_: Any) -> None:
        failed.extend(message["Body"] for message in receive(any_stack, VisibilityTimeout=0))
        receive(any_stack)
        if not ahead:  # only its timestamp distinguishes a new message
            add_dead_letters(any_stack, "new")
        for queue in get_backend("sqs")[ACCOUNT][REGION].queues.values():
            queue._messages.reverse()  # SQS keeps no order

    sqs.meta.events.register("after-call.sqs.DeleteMessageBatch", fail_again)
    status, out, _ = operate(main, any_stack, "--rate", "2")
    assert (status, sorted(failed)) == (0, list("abcde"))
    assert count(any_stack, DEAD) == (5 if ahead else 8)
    assert f"{QUEUE}: 2 of 5 moved\n" in out
    assert out.endswith(f"{QUEUE}: 5 of 5 moved\n")


@in_aws
def test_a_refused_message_stays_and_is_named(any_stack: Stack, operate: Operate) -> None:
    add_dead_letters(any_stack, *"abc")

    def refuse(parsed: Any, **_: Any) -> None:
        parsed["Failed"] = [{"Id": parsed["Successful"].pop(1)["Id"], "Code": "InternalError"}]

    any_stack.client("sqs").meta.events.register("after-call.sqs.SendMessageBatch", refuse)
    status, out, err = operate(main, any_stack)
    assert (status, count(any_stack, DEAD)) == (1, 1)
    assert out.endswith(f"{QUEUE}: 2 of 3 moved, 1 failed and stay in {DEAD}\n")
    assert err.endswith(" was refused: InternalError\n")


@in_aws
def test_nothing_is_lost_between_sending_and_deleting(any_stack: Stack, operate: Operate) -> None:
    add_dead_letters(any_stack, *"abc")

    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    any_stack.client("sqs").meta.events.register("before-call.sqs.DeleteMessageBatch", interrupt)
    status, out, err = operate(main, any_stack)
    assert (status, err) == (130, "interrupted; run it again for the rest\n")
    assert out.endswith(f"{QUEUE}: 0 of 3 moved\n")
    assert (count(any_stack, QUEUE), count(any_stack, DEAD)) == (3, 3)
    assert "(and 3 in flight)" in operate(main, any_stack, "--dry-run")[1]
