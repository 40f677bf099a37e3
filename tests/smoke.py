"""One request per route, for environments where the whole contract would take too long."""

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
    """Further arguments of `requests`."""


USER = {"username": "smoke", "password": "correct horse"}
WEBHOOK = {"url": "https://1.1.1.1/tasks", "events": ["task.created"]}
CHANGE = {"current_password": "correct horse", "new_password": "another horse"}

_PARAMETERS = {"/tasks": "task_id", "/auth/keys": "key_id", "/webhooks": "webhook_id"}
"""Path parameters, by the path that creates their resource."""

# In the order they are sent: a path parameter is the id of what was created before.
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
    ("GET", "/tasks/{task_id}/history"): Request(200),
    ("GET", "/trash"): Request(200),
    ("POST", "/trash/{task_id}/restore"): Request(200),
    ("DELETE", "/trash/{task_id}"): Request(404),
    ("POST", "/auth/keys"): Request(201, {"json": {"name": "Smoke", "scope": "read"}}),
    ("GET", "/auth/keys"): Request(200),
    ("DELETE", "/auth/keys/{key_id}"): Request(204),
    ("GET", "/users"): Request(200),
    ("POST", "/webhooks"): Request(201, {"json": WEBHOOK}),
    ("GET", "/webhooks"): Request(200),
    ("POST", "/webhooks/{webhook_id}/test"): Request(202),
    ("POST", "/webhooks/{webhook_id}/secret"): Request(200),
    ("DELETE", "/webhooks/{webhook_id}"): Request(204),
    ("POST", "/auth/password"): Request(204, {"json": CHANGE}),
    ("POST", "/auth/delete"): Request(204, {"json": {"current_password": CHANGE["new_password"]}}),
    ("POST", "/auth/revoke"): Request(200, {"data": {"token": "none"}}),
}


def smoke(url: str) -> dict[tuple[str, str], int]:
    """Send all requests; returns the status of each response."""
    client, statuses, ids = Client(url), {}, dict.fromkeys(_PARAMETERS.values(), "")
    for (method, path), request in SMOKE.items():
        response = client(method, path.format(**ids), **request.options)
        statuses[method, path] = response.status_code
        if path == "/auth/login":
            client = Client(url, response.json()["access_token"])
        elif response.status_code == 201 and path in _PARAMETERS:
            ids[_PARAMETERS[path]] = response.json()["id"]
    return statuses
