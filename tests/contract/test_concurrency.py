"""Concurrent writes: one succeeds, and each of the others gets the error that says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import requests

from tests.local_stack import Client, unique


def at_once(user: Client, number: int, act: Callable[[Client, int], requests.Response]) -> Counter[int]:
    """Let several clients act at the same moment; returns how often each status was returned."""
    start = Barrier(number)

    def client(n: int) -> int:
        mine = Client(user.url, user.token)
        start.wait()
        return act(mine, n).status_code

    with ThreadPoolExecutor(number) as threads:
        return Counter(threads.map(client, range(number)))


def test_one_of_32_concurrent_creates_of_a_title_succeeds(user: Client) -> None:
    body = {"title": unique("Contended")}
    assert at_once(user, 32, lambda client, _: client("POST", "/tasks", json=body)) == {201: 1, 409: 31}


def test_one_of_8_concurrent_renames_to_a_title_succeeds(user: Client) -> None:
    tasks = [user.create() for _ in range(8)]
    body = {"title": unique("Wanted by all")}
    statuses = at_once(user, 8, lambda client, n: client("PATCH", f"/tasks/{tasks[n]['id']}", json=body))
    assert statuses == {200: 1, 409: 7}


def test_one_of_8_concurrent_deletes_of_a_task_succeeds(user: Client) -> None:
    path = f"/tasks/{user.create()['id']}"
    assert at_once(user, 8, lambda client, _: client("DELETE", path)) == {204: 1, 404: 7}


def test_one_of_8_concurrent_changes_of_a_version_succeeds(user: Client) -> None:
    path = f"/tasks/{user.create()['id']}"
    headers = {"If-Match": user("GET", path).headers["ETag"]}
    statuses = at_once(
        user, 8, lambda client, n: client("PATCH", path, json={"description": str(n)}, headers=headers)
    )
    assert statuses == {200: 1, 412: 7}


def test_one_of_8_concurrent_sign_ups_with_a_name_succeeds(user: Client) -> None:
    def sign_up(client: Client, n: int) -> requests.Response:
        name = "".join(c.upper() if n >> i & 1 else c for i, c in enumerate("sought-after"))
        return client("POST", "/auth/create", json={"username": name, "password": "correct horse"})

    assert at_once(user, 8, sign_up) == {201: 1, 409: 7}


def test_concurrent_changes_of_different_fields_are_all_kept(user: Client) -> None:
    path = f"/tasks/{user.create()['id']}"
    title = unique("Renamed")
    changes = [{"title": title}, {"description": "described"}, {"status": "COMPLETED"}]
    assert at_once(user, 3, lambda client, n: client("PATCH", path, json=changes[n])) == {200: 3}
    assert (
        user("GET", path).json().items()
        >= {"title": title, "description": "described", "status": "COMPLETED"}.items()
    )
