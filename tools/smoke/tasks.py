"""Checks of tasks. They create two tasks, then delete and purge them."""

from __future__ import annotations

import time
import uuid

from tools.smoke.client import URL_MADE_IN, Failed, NotChecked, expect, expect_status
from tools.smoke.session import Session, logs_of, path_in_trash, path_of

_INDEX_WAIT = 5
"""Seconds within which the trash must list a deleted task."""
_CACHE_WAIT = 10
"""Seconds within which a list must come from the cache; pages of a young generation expire after two."""


def task_is_created_once(session: Session) -> None:
    """A task is created once, even if its request is repeated."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"title": f"Smoke {key['Idempotency-Key']}", "description": "made by make smoke " * 100}
    response = session.user("POST", "/tasks", json=body, headers=key)
    expect_status(response, 201, logs_of(response))
    session.tasks.append(response.json())
    again = session.user("POST", "/tasks", json=body, headers=key)
    expect_status(again, 201, logs_of(again))
    replayed = again.headers.get("Idempotency-Replayed")
    expect(replayed == "true", f"Idempotency-Replayed is {replayed}", "shared/tasks/store.py")
    location = response.headers["Location"]
    expect(location == session.user.url + path_of(session.task), f"Location is {location}", URL_MADE_IN)
    expect_status(session.user("GET", location), 200, URL_MADE_IN)


def unchanged_is_not_sent_again(session: Session) -> None:
    """An unchanged task or list is a 304, compressed or not."""
    for path in (path_of(session.task), "/tasks?limit=1"):
        etag = session.user("GET", path).headers.get("ETag", "")
        response = session.user("GET", path, headers={"If-None-Match": etag})
        expect_status(response, 304, f"the ETag {etag!r}, and whether the gateway changes it")


def stale_changes_are_refused(session: Session) -> None:
    """A change with a stale If-Match is a 412."""
    path, header = path_of(session.task), {"If-Match": '"999999"'}
    response = session.user("PATCH", path, json={"status": "COMPLETED"}, headers=header)
    expect_status(response, 412, "whether the gateway forwards If-Match")
    response = session.user("PATCH", path, json={"status": "IN_PROGRESS"})
    expect_status(response, 200, logs_of(response))


def links_lead_on(session: Session) -> None:
    """The link to the next page works."""
    task_is_created_once(session)  # so that there are two
    response = session.user("GET", "/tasks?limit=1")
    expect_status(response, 200, logs_of(response))
    link = response.links.get("next", {}).get("url", "")
    expect(link.startswith(f"{session.user.url}/tasks?"), f"it is {link!r}", URL_MADE_IN)
    expect_status(session.user("GET", link), 200, URL_MADE_IN)


def lists_by_assignee_and_by_due_date(session: Session) -> None:
    """Tasks are listed by their assignee, and by their due date."""
    planned = {"assignee": "me", "due_at": 253_402_300_799}
    response = session.user("PATCH", path_of(session.task), json=planned)
    expect_status(response, 200, logs_of(response))
    for query in ("assignee=me", "sort=due_at"):
        response = session.user("GET", f"/tasks?{query}&limit=1")
        expect_status(response, 200, "whether the index exists, and the role of list_tasks may query it")


def list_comes_from_the_cache(session: Session) -> None:
    """The list comes from the cache, and contains the task."""
    end, seen = time.monotonic() + _CACHE_WAIT, set()
    while time.monotonic() < end:
        response = session.user("GET", "/tasks")
        expect_status(response, 200, logs_of(response))
        seen.add(response.headers.get("X-Cache"))
        ids = [task["id"] for task in response.json()]
        if "hit" in seen and session.task["id"] in ids:
            return
        time.sleep(0.2)
    if seen == {"off"}:
        raise NotChecked("the cache is disabled or unreachable: check Cache and CacheFailuresAlarm")
    raise Failed(f"X-Cache is {', '.join(map(str, seen))}", "the metric CacheFailure, and ElastiCache")


def deleted_task_is_restored(session: Session) -> None:
    """A deleted task can be restored, and its history shows both changes."""
    path = path_of(session.task)
    expect_status(session.user("DELETE", path), 204, "the logs of DeleteTaskFunction")
    expect_status(session.user("GET", path), 404, "the logs of GetTaskFunction")
    end, listed = time.monotonic() + _INDEX_WAIT, set[str]()
    while session.task["id"] not in listed and time.monotonic() < end:
        response = session.user("GET", "/trash")
        expect_status(response, 200, "the logs of ListTrashFunction")
        listed = {task["id"] for task in response.json()}
    expect(session.task["id"] in listed, "the trash does not list it", "status-due-index")
    restored = session.user("POST", f"{path_in_trash(session.task)}/restore")
    expect_status(restored, 200, "the logs of RestoreTaskFunction")
    changes = session.user("GET", f"{path}/history?limit=2")
    expect_status(changes, 200, "the logs of GetTaskHistoryFunction")
    types = [change["type"] for change in changes.json()]
    expect(types == ["task.restored", "task.deleted"], f"its history ends with {types}", "HistoryTable")


def tasks_are_removed(session: Session) -> None:
    """The tasks can be deleted and purged."""
    for task in list(session.tasks):
        expect_status(session.user("DELETE", path_of(task)), 204, "the logs of DeleteTaskFunction")
        purged = session.user("DELETE", path_in_trash(task))
        expect_status(purged, 204, "the logs of PurgeTaskFunction")
        session.tasks.remove(task)
