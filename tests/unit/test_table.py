"""Items of the tasks table: they are read as they were written, also across versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks.indexes import StatusShards
from shared.tasks.table import digest_of, item_from_task, task_from_item
from shared.tasks.task import Author, Task, TaskStatus
from tests.tasks import new_task

OF_1_0 = {
    "c19d95f98d534b4050a582324948411159dbbe39476650ce8eb6d8e748e32475": new_task("Buy milk"),
    "911dca859c7d5129ea1cdf9ad2ab3f91022e688eda23b518f24d0b246d9970cc": new_task(
        "Buy milk", description="two litres ✓", status=TaskStatus.COMPLETED
    ),
}


@pytest.mark.parametrize("digest", OF_1_0)
def test_a_retry_across_an_upgrade_has_the_same_digest(digest: str) -> None:
    assert digest_of(OF_1_0[digest]).hex() == digest


@given(
    st.builds(
        new_task,
        st.text(min_size=1),
        description=st.none() | st.text(),
        status=st.sampled_from(TaskStatus),
        author=st.builds(Author, st.none() | st.text(), st.none() | st.text()),
    ),
    st.integers(1, 16),
)
def test_an_item_is_read_as_the_task_that_was_written(task: Task, shards: int) -> None:
    assert task_from_item(item_from_task(task, StatusShards(shards, shards))) == task


def test_an_attribute_that_is_missing_or_of_an_unknown_type_is_read_as_its_default() -> None:
    item = item_from_task(new_task(description="x"), StatusShards())
    for description in ({"L": []}, {"NULL": True}, {}):
        assert task_from_item({**item, "description": description}).description is None
    assert task_from_item({name: item[name] for name in item if name != "request_id"}).request_id is None


@pytest.mark.parametrize("name", ["id", "title", "created_at", "updated_at", "created_by", "version"])
def test_an_item_without_a_required_attribute_cannot_be_read(name: str) -> None:
    item = item_from_task(new_task(), StatusShards())
    with pytest.raises(KeyError):
        task_from_item({each: item[each] for each in item if each != name})
