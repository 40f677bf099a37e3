"""Tasks for tests of the stores, and changes to make to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.tasks.task import Task


def new_task(title: str = "Buy milk", *, created_by: str = "ada", **chosen: Any) -> Task:
    """A task to store."""
    return Task.new(title=title, created_by=created_by, **chosen)


def changing(**fields: Any) -> Callable[[Task], Task]:
    """A change that gives fields of a task new values."""
    return lambda task: replace(task, **fields)
