"""Sort orders of the list, and places in it.

A place outlives the task that it was taken from.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple, Self


class Sort(StrEnum):
    """Sort order of a list of tasks."""

    CREATED_AT = "created_at"
    """When they were created, the newest first."""
    DUE_AT = "due_at"
    """When they are due, the soonest first; only tasks that have a due date."""


class Position(NamedTuple):
    """Where a task stands in a list: by a time, and among equal ones by its id."""

    at: int
    """Unix time: of the creation in microseconds, of the due date in seconds."""
    task_id: str

    def __str__(self) -> str:
        return f"{self.at}/{self.task_id}"


class Place(NamedTuple):
    """Where a page of a list begins: after a position, some tasks further on."""

    after: Position
    skip: int = 0
    """How many tasks are yet to be skipped."""
    sort: Sort = Sort.CREATED_AT

    def __str__(self) -> str:
        text = f"{self.after}/{self.skip}" if self.skip else str(self.after)
        return f"due/{text}" if self.sort is Sort.DUE_AT else text

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what `str` returns.

        Raises:
            ValueError: the text is something else.
        """
        match = re.fullmatch(r"(due/)?(\d{1,18})/([0-9a-f-]{36})(?:/([1-9]\d{0,4}))?", text, flags=re.ASCII)
        if match is None:
            raise ValueError(f"{text!r} is no place in a list")
        sort = Sort.DUE_AT if match[1] else Sort.CREATED_AT
        return cls(Position(int(match[2]), match[3]), int(match[4] or 0), sort)
