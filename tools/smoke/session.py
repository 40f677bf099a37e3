"""A signed-in user, and the tasks that checks create."""

from __future__ import annotations

import contextlib
from typing import Any, Self

import requests

from tools.smoke.client import Client, NotChecked


class Session:
    """A user, and the tasks that the checks create."""

    def __init__(self, url: str, username: str, password: str, *, is_new: bool = False) -> None:
        """Take the user's credentials; a new user signs up first."""
        self.user = Client(url)
        self.credentials = {"username": username, "password": password}
        self.is_new = is_new
        self.lifetime, self.signed_in_at = 0, 0.0
        """Lifetime of the token in seconds, and when it was issued, by the monotonic clock."""
        self.tasks: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for task in list(self.tasks):
            with contextlib.suppress(requests.RequestException):
                removed = [self.user("DELETE", path(task)) for path in (path_of, path_in_trash)]
                if all(response.status_code in {204, 404} for response in removed):
                    self.tasks.remove(task)

    @property
    def task(self) -> dict[str, Any]:
        """The task that was created last.

        Raises:
            NotChecked: no task was created.
        """
        if not self.tasks:
            raise NotChecked("no task could be created")
        return self.tasks[-1]


def path_of(task: dict[str, Any]) -> str:
    """Path of a task."""
    return f"/tasks/{task['id']}"


def path_in_trash(task: dict[str, Any]) -> str:
    """Path of a deleted task."""
    return f"/trash/{task['id']}"


def logs_of(response: requests.Response) -> str:
    """Where to look when a response is wrong."""
    return f"the function's logs, by the x-request-id {response.headers.get('x-request-id')}"
