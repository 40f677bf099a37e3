"""The partitions of the status index: a task is always in one that is read."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks.indexes import MAX_SHARDS, StatusShards, status_in
from shared.tasks.task import TaskStatus
from tests.template import TEMPLATE

statuses = st.sampled_from(TaskStatus)
counts = st.integers(1, MAX_SHARDS)


@given(status=statuses, task_id=st.uuids().map(str), a=counts, b=counts)
def test_a_task_is_in_a_partition_that_is_read(status: TaskStatus, task_id: str, a: int, b: int) -> None:
    written, read = sorted((a, b))
    key = StatusShards(written, read).partition_key(status, task_id)
    assert key == StatusShards(written).partition_key(status, task_id)
    assert key in StatusShards(written, read).partition_keys(status)
    assert status_in(key) is status


def test_without_shards_the_partition_key_is_the_status() -> None:
    shards = StatusShards.parse(TEMPLATE["Parameters"]["StatusShards"]["Default"])
    assert shards == StatusShards(1, 1)
    assert shards.partition_keys(TaskStatus.PENDING) == ["PENDING"]
    assert shards.partition_key(TaskStatus.PENDING, str(uuid.uuid4())) == "PENDING"


def test_tasks_are_spread_evenly() -> None:
    shards = StatusShards(8, 8)
    ids = [str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))) for number in range(8000)]
    keys = Counter(shards.partition_key(TaskStatus.PENDING, task_id) for task_id in ids)
    assert len(keys) == 8
    assert max(keys.values()) < 1.2 * min(keys.values())


@pytest.mark.parametrize(
    ("text", "shards"), [("1", (1, 1)), ("8", (8, 8)), ("1/8", (1, 8)), ("16", (16, 16)), ("2/16", (2, 16))]
)
def test_the_parameter_is_one_or_two_counts(text: str, shards: tuple[int, int]) -> None:
    assert StatusShards.parse(text) == StatusShards(*shards)


def test_every_value_that_the_template_allows_is_valid() -> None:
    for text in TEMPLATE["Parameters"]["StatusShards"]["AllowedValues"]:
        StatusShards.parse(text)


@pytest.mark.parametrize(
    "text", ["", "0", "17", "8/1", "0/8", "1/17", "-1", "1/", "a", "1 / 8", "１", "1/8\n"]
)
def test_any_other_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number of shards"):
        StatusShards.parse(text)
