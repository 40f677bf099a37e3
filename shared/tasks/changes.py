"""JSON representation of a change of a task: its fields before and after, the time and the author."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from shared.schema import Schema, UnixTime
from shared.tasks.document import task_document
from shared.tasks.task import KEPT_BY_STORE, Task

ChangeType = Literal["task.created", "task.updated", "task.deleted", "task.restored"]


class ChangeDocument(TypedDict):
    """A change of a task."""

    version: Annotated[int, Schema(description="The task's version after it.")]
    at: UnixTime
    by: Annotated[
        str | None,
        Schema(description="Who made it: a username, or the name of an API key.", examples=["ada"]),
    ]
    key_of: Annotated[
        str | None,
        Schema(description="The user whose API key made it; null if a person did.", examples=[None]),
    ]
    type: ChangeType
    changes: Annotated[
        dict[str, list[Any]],
        Schema(
            description="Each field that it changed: what it was, and what it is.",
            examples=[{"status": ["PENDING", "IN_PROGRESS"]}],
        ),
    ]


def changes_between(before: Task | None, after: Task) -> dict[str, list[Any]]:
    """List the fields that users set and that a write has changed, each with its two values.

    Args:
        before: The task before the write; None if it is new, and each field that it has was null.
        after: The task after it.
    """
    old: dict[str, Any] = {} if before is None else {**task_document(before)}
    new: dict[str, Any] = {**task_document(after)}
    pairs = {name: [old.get(name), new[name]] for name in new if name not in KEPT_BY_STORE}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and pair != [None, []]}
