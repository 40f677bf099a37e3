"""Cursors, and links to the next page."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.api.paging import from_cursor, next_link, to_cursor
from shared.api.problems import InvalidRequest
from shared.api.response import to_json
from shared.api.task_models import NewTask, TaskListQuery
from shared.tasks.document import task_document
from shared.tasks.position import Place, Position, Sort
from shared.tasks.task import TaskStatus
from tests.tasks import new_task

positions = st.builds(Position, st.integers(0, 10**17), st.uuids().map(str))
places = st.builds(Place, positions, st.integers(0, 10_000), st.sampled_from(Sort))
# The values of each parameter, as they are in a query string.
NUMBERS = st.integers(0, 100).map(str)
PARAMETERS = dict.fromkeys(TaskListQuery.model_fields, NUMBERS) | {
    "status": st.lists(st.sampled_from(TaskStatus).map(str), min_size=1),
    "created_at": st.decimals(0, 2_000_000_000, places=6).map("{:f}".format),
    "sort": st.sampled_from(Sort).map(str),
    "skip": st.integers(0, 10_000).map(str),
    "limit": st.integers(1, 100).map(str),
    "cursor": places.map(to_cursor),
    "assignee": st.sampled_from(["me", "none", "ada", "Grace"]),
    "label": st.text("aé b", min_size=1, max_size=40).filter(str.strip),
    "q": st.text("aé b", min_size=1, max_size=200).filter(str.strip),
}


@given(place=places)
def test_a_cursor_leads_back_to_its_place(place: Place) -> None:
    assert from_cursor(to_cursor(place), Place.parse) == place


@given(position=positions)
def test_a_cursor_of_version_1_0_leads_to_its_place(position: Position) -> None:
    assert from_cursor(to_cursor(position), Place.parse) == Place(position)


@given(text=st.text(max_size=80))
@example("")
@example("====")
@example("MTIzL2Fi")
def test_an_invalid_cursor_is_refused(text: str) -> None:
    try:
        place = from_cursor(text, Place.parse)
    except ValueError:
        return
    assert from_cursor(to_cursor(place), Place.parse) == place


@given(parameters=st.fixed_dictionaries({}, optional=PARAMETERS), place=places)
def test_a_link_asks_for_the_same_list_from_another_place_on(
    parameters: dict[str, Any], place: Place
) -> None:
    sort = Sort(parameters.get("sort", Sort.CREATED_AT))
    place = place._replace(sort=sort)
    if cursor := parameters.get("cursor"):
        parameters["cursor"] = to_cursor(from_cursor(cursor, Place.parse)._replace(sort=sort))
    query = TaskListQuery.parse(parameters)
    written = next_link("https://api/v1/tasks", query.carried_over(), place)["Link"]
    link = re.fullmatch('<(https://api/v1/tasks[?].*)>; rel="next"', written)
    assert link is not None
    values = parse_qs(urlsplit(link[1]).query)
    linked = {name: value if name == "status" else value[0] for name, value in values.items()}
    expected = replace(query.to_task_query("Ada"), skip=place.skip, after=place.after)
    assert TaskListQuery.parse(linked).to_task_query("Ada") == expected
    assert linked.keys() == parameters.keys() - {"skip"} | {"cursor"}


def test_a_cursor_of_another_sort_is_refused() -> None:
    of_due_dates = to_cursor(Place(Position(1, str(uuid.uuid4())), sort=Sort.DUE_AT))
    assert TaskListQuery.parse({"cursor": of_due_dates, "sort": "due_at"}).cursor
    for parameters in ({}, {"sort": "created_at"}):
        with pytest.raises(InvalidRequest, match="another sort"):
            TaskListQuery.parse({"cursor": of_due_dates, **parameters})


def test_a_time_in_a_link_is_exact() -> None:
    query = TaskListQuery.parse({"created_at": "1767225600.123456"})
    assert (
        "created_at=1767225600.123456&" in next_link("/tasks", query.carried_over(), Position(1, "0"))["Link"]
    )


def test_the_largest_page_fits_lambdas_limit() -> None:
    """See https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    properties = NewTask.model_json_schema()["properties"]
    lengths = {name: _largest(properties[name], "maxLength") for name in ("title", "description")}
    labels = _largest(properties["labels"], "maxItems") * _largest(properties["labels"], "maxLength")
    tasks = _largest(TaskListQuery.model_json_schema()["properties"]["limit"], "maximum")
    for character in ('"', "\\", "\n", "\U0001f5d3"):
        task = new_task(
            character * lengths["title"],
            description=character * lengths["description"],
            labels=(character * labels,),
            assignee="a" * 32,
        )
        page = to_json([task_document(task)] * tasks)
        assert len(to_json({"body": page}).encode()) < 6_000_000


def _largest(schema: Any, keyword: str) -> int:
    """Find the largest value of a keyword in a schema."""
    found = [schema[keyword]] if keyword in schema else []
    inner = [schema.get("items", {}), *schema.get("anyOf", [])]
    return int(max(found + [_largest(each, keyword) for each in inner if each], default=0))
