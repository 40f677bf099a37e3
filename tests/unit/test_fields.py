"""Each field of a task is in requests, in responses and in the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import get_args, get_type_hints

from shared.api.task_models import NewTask, TaskChanges, TaskListQuery
from shared.schema import Schema
from shared.tasks.document import TaskDocument
from shared.tasks.query import TaskQuery
from shared.tasks.task import INTERNAL, KEPT_BY_STORE, Task
from tests.local_stack import ROOT

PAGE = (ROOT / "docs/http-api.md").read_text("utf-8")
RENAMED = {
    "statuses": "status",
    "created_before": "created_at",
    "after": "cursor",
    "text": "q",
}
"""Fields of the query whose parameters have other names."""
PAGING = {"limit", "skip", "after"}


def lacking(task: type[Task]) -> Iterator[str]:
    """Say what each field of a task lacks."""
    hints = get_type_hints(task, include_extras=True)
    for field in fields(task):
        name = field.name
        if name not in KEPT_BY_STORE:
            if name not in NewTask.model_fields:
                yield f"Add {name} to _TaskFields in shared/api/task_models.py: no request can set it."
            if not any(isinstance(part, Schema) for part in parts(hints[name])):
                yield f"Give {name} a type with a Schema in shared/tasks/task.py: nothing says what it means."
        if name in INTERNAL:
            continue
        if name not in get_type_hints(TaskDocument):
            yield f"Add {name} to TaskDocument in shared/tasks/document.py: /docs does not describe it."
        if not re.search(rf"A task is `{{[^}}]*\b{name}\b", PAGE):
            yield f'Add {name} to "A task is" in docs/http-api.md.'


def parts(hint: object) -> Iterator[object]:
    yield hint
    for part in (*get_args(hint), *getattr(hint, "__metadata__", ())):
        yield from parts(part)


def lacking_in_query(query: type[TaskQuery]) -> Iterator[str]:
    """Say what each field of the query lacks."""
    for field in fields(query):
        parameter = RENAMED.get(field.name, field.name)
        if parameter not in TaskListQuery.model_fields:
            yield f"Add {parameter} to TaskListQuery in shared/api/task_models.py: nobody can ask for it."
        if field.name not in {*PAGING, *query.admits.__code__.co_names}:
            yield f"Look at {field.name} in TaskQuery.admits in shared/tasks/query.py: it filters nothing."
        if f"`{parameter}`" not in PAGE and parameter != "cursor":
            yield f"Say in docs/http-api.md what the parameter `{parameter}` does."


def test_every_field_is_complete() -> None:
    missing = [*lacking(Task), *lacking_in_query(TaskQuery)]
    assert not missing, "\n" + "\n".join(missing)


def test_leftovers_of_a_removed_field_are_named() -> None:
    names = {field.name for field in fields(Task)}
    models = {"NewTask": NewTask, "TaskChanges": TaskChanges}
    left = {where: model.model_fields.keys() - names for where, model in models.items()}
    left["TaskDocument"] = get_type_hints(TaskDocument).keys() - names
    for where, gone in left.items():
        assert not gone, f"Remove {sorted(gone)} from {where}: a task has no such field."


def test_missing_parts_of_a_new_field_are_named() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Longer(Task):
        no_such_field: int | None = None

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Wider(TaskQuery):
        no_such_filter: int | None = None

    assert [sentence.partition(" in ")[0] for sentence in lacking(Longer)] == [
        "Add no_such_field to _TaskFields",
        "Give no_such_field a type with a Schema",
        "Add no_such_field to TaskDocument",
        'Add no_such_field to "A task is"',
    ]
    assert [sentence.partition(" in ")[0] for sentence in lacking_in_query(Wider)] == [
        "Add no_such_filter to TaskListQuery",
        "Look at no_such_filter",
        "Say",
    ]
