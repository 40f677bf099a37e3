"""Tasks to create in tests of the stores, and changes to make to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from shared.tasks.task import Task, TaskStatus


@dataclass(frozen=True)
class Draft:
    title: str = "Buy milk"
    description: str | None = None
    status: TaskStatus = TaskStatus.PENDING


def changing(**fields: Any) -> Callable[[Task], Task]:
    """A change that gives fields of a task new values."""
    return lambda task: replace(task, **fields)
