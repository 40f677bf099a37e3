"""One request for each route: what is run where the whole contract would take too long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.local_stack import Client


@dataclass(frozen=True)
class Request:
    """A request to a route, and the status of the response."""

    status: int
    options: Mapping[str, Any] = field(default_factory=dict)
    """What requests takes besides."""


USER = {"username": "smoke", "password": "correct horse"}
CHANGE = {"current_password": "correct horse", "new_password": "another horse"}

# In the order in which they are sent: {task_id} is the task that was created.
SMOKE = {
    ("GET", "/"): Request(200),
    ("GET", "/docs"): Request(200),
    ("GET", "/openapi.json"): Request(200),
    ("POST", "/auth/create"): Request(201, {"json": USER}),
    ("POST", "/auth/login"): Request(200, {"data": USER}),
    ("GET", "/auth/me"): Request(200),
    ("POST", "/tasks"): Request(201, {"json": {"title": "Smoke"}}),
    ("GET", "/tasks"): Request(200),
    ("GET", "/tasks/{task_id}"): Request(200),
    ("PATCH", "/tasks/{task_id}"): Request(200, {"json": {"status": "COMPLETED"}}),
    ("DELETE", "/tasks/{task_id}"): Request(204),
    ("POST", "/auth/password"): Request(204, {"json": CHANGE}),
}


def smoke(url: str) -> dict[tuple[str, str], int]:
    """Send them; returns the status of each response."""
    client, statuses, task_id = Client(url), {}, ""
    for (method, path), request in SMOKE.items():
        response = client(method, path.replace("{task_id}", task_id), **request.options)
        statuses[method, path] = response.status_code
        if path == "/auth/login":
            client = Client(url, response.json()["access_token"])
        elif (method, path) == ("POST", "/tasks"):
            task_id = response.json()["id"]
    return statuses
