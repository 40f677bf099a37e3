"""Checks with a user. They create two tasks, and delete them again."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import Any, Self

import requests

from tools.smoke.client import URL_MADE_IN, Client, Failed, NotChecked, expect, expect_status

_CACHE_WAIT = 10
"""Seconds until a list must come from the cache: pages of the last two seconds may not."""
_CALL_WAIT = 30
"""Seconds until a webhook must have been called."""


class Session:
    """A user, and the tasks that the checks create."""

    def __init__(self, url: str, username: str, password: str, *, is_new: bool = False) -> None:
        """Take who signs in; one who is new signs up first."""
        self.user = Client(url)
        self.credentials = {"username": username, "password": password}
        self.is_new = is_new
        self.lifetime, self.signed_in_at = 0, 0.0
        """Seconds for which the token is good, and since when, by the monotonic clock."""
        self.tasks: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for task in list(self.tasks):
            with contextlib.suppress(requests.RequestException):
                if self.user("DELETE", _path(task)).status_code in {204, 404}:
                    self.tasks.remove(task)

    @property
    def task(self) -> dict[str, Any]:
        """The task that was created last.

        Raises:
            NotChecked: none was.
        """
        if not self.tasks:
            raise NotChecked("no task could be created")
        return self.tasks[-1]


def _path(task: dict[str, Any]) -> str:
    return f"/tasks/{task['id']}"


def _logs_of(response: requests.Response) -> str:
    return f"the function's logs, by the x-request-id {response.headers.get('x-request-id')}"


def user_can_sign_in(session: Session) -> None:
    """A user can sign in."""
    if session.is_new:
        response = session.user("POST", "/auth/create", json=session.credentials)
        expect_status(response, 201, "the parameter SignUp")
    response = session.user("POST", "/auth/login", data=session.credentials)
    expect_status(response, 200, "the username and the password")
    session.user = Client(session.user.url, response.json()["access_token"])
    session.lifetime, session.signed_in_at = response.json()["expires_in"], time.monotonic()


def good_token_is_accepted(session: Session) -> None:
    """A good token is accepted, also the second time."""
    for _ in range(2):
        response = session.user("GET", "/auth/me")
        expect_status(response, 200, "the policy of functions/authorize: its condition is aws:CurrentTime")
    response = session.user("GET", "/auth/me/")
    expect_status(response, 200, "the route, with a slash at its end")


def task_is_created_once(session: Session) -> None:
    """A task is created, and its request can be repeated."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"title": f"Smoke {key['Idempotency-Key']}", "description": "made by make smoke " * 100}
    response = session.user("POST", "/tasks", json=body, headers=key)
    expect_status(response, 201, _logs_of(response))
    session.tasks.append(response.json())
    again = session.user("POST", "/tasks", json=body, headers=key)
    expect_status(again, 201, _logs_of(again))
    replayed = again.headers.get("Idempotency-Replayed")
    expect(replayed == "true", f"Idempotency-Replayed is {replayed}", "shared/tasks/store.py")
    location = response.headers["Location"]
    expect(location == session.user.url + _path(session.task), f"Location is {location}", URL_MADE_IN)
    expect_status(session.user("GET", location), 200, URL_MADE_IN)


def unchanged_is_not_sent_again(session: Session) -> None:
    """What is unchanged is a 304, compressed or not."""
    for path in (_path(session.task), "/tasks?limit=1"):
        etag = session.user("GET", path).headers.get("ETag", "")
        response = session.user("GET", path, headers={"If-None-Match": etag})
        expect_status(response, 304, f"the ETag, which is {etag!r}, and what the gateway makes of it")


def stale_changes_are_refused(session: Session) -> None:
    """A change of what has changed since is a 412."""
    path, header = _path(session.task), {"If-Match": '"999999"'}
    response = session.user("PATCH", path, json={"status": "COMPLETED"}, headers=header)
    expect_status(response, 412, "whether the gateway passes If-Match on")
    response = session.user("PATCH", path, json={"status": "IN_PROGRESS"})
    expect_status(response, 200, _logs_of(response))


def links_lead_on(session: Session) -> None:
    """The link to the next page leads there."""
    task_is_created_once(session)  # so that there are two
    response = session.user("GET", "/tasks?limit=1")
    expect_status(response, 200, _logs_of(response))
    link = response.links.get("next", {}).get("url", "")
    expect(link.startswith(f"{session.user.url}/tasks?"), f"it is {link!r}", URL_MADE_IN)
    expect_status(session.user("GET", link), 200, URL_MADE_IN)


def lists_by_assignee_and_by_due_date(session: Session) -> None:
    """Tasks are listed by their assignee, and by their due date."""
    planned = {"assignee": "me", "due_at": 253_402_300_799}
    response = session.user("PATCH", _path(session.task), json=planned)
    expect_status(response, 200, _logs_of(response))
    for query in ("assignee=me", "sort=due_at"):
        response = session.user("GET", f"/tasks?{query}&limit=1")
        expect_status(response, 200, "whether the index is there, and the role of list_tasks may read it")


def list_comes_from_the_cache(session: Session) -> None:
    """The list comes from the cache, and shows the task."""
    end, seen = time.monotonic() + _CACHE_WAIT, set()
    while time.monotonic() < end:
        response = session.user("GET", "/tasks")
        expect_status(response, 200, _logs_of(response))
        seen.add(response.headers.get("X-Cache"))
        ids = [task["id"] for task in response.json()]
        if "hit" in seen and session.task["id"] in ids:
            return
        time.sleep(0.2)
    if seen == {"off"}:
        raise NotChecked("there is no cache, or it cannot be reached: look at Cache and CacheFailuresAlarm")
    raise Failed(f"X-Cache is {', '.join(map(str, seen))}", "the metric CacheFailure, and ElastiCache")


def tasks_are_deleted(session: Session) -> None:
    """The tasks are deleted again."""
    for task in list(session.tasks):
        expect_status(session.user("DELETE", _path(task)), 204, "the logs of DeleteTaskFunction")
        session.tasks.remove(task)
        expect_status(session.user("GET", _path(task)), 404, "the logs of GetTaskFunction")


def session_goes_on_until_it_is_ended(session: Session) -> None:
    """A session is refreshed, and ends when one signs out."""
    signed_in = session.user("POST", "/auth/login", data=session.credentials)
    expect_status(signed_in, 200, "the username and the password")
    form = {"grant_type": "refresh_token", "refresh_token": signed_in.json()["refresh_token"]}
    refreshed = session.user("POST", "/auth/login", data=form)
    expect_status(refreshed, 200, _logs_of(refreshed))
    token = refreshed.json()["refresh_token"]
    expect_status(session.user("POST", "/auth/revoke", data={"token": token}), 200, "RevokeTokenFunction")
    again = session.user("POST", "/auth/login", data={**form, "refresh_token": token})
    expect_status(again, 400, "the logs of LoginFunction")


def program_can_use_a_key(session: Session) -> None:
    """An API key reads, and does no more than it may."""
    created = session.user("POST", "/auth/keys", json={"name": "made by make smoke", "scope": "read"})
    expect_status(created, 201, _logs_of(created))
    key = created.json()
    program = Client(session.user.url, key["key"])
    try:
        expect_status(
            program("GET", "/tasks?limit=1"), 200, "functions/authorize, and whether it was deployed"
        )
        expect_status(
            program("POST", "/tasks", json={"title": "x"}), 403, "the scope, in shared/api/endpoint.py"
        )
    finally:
        deleted = session.user("DELETE", f"/auth/keys/{key['id']}")
    expect_status(deleted, 204, "the logs of DeleteApiKeyFunction")


def webhook_is_called(session: Session) -> None:
    """A webhook is made, and what it is tested with gets out: to this API, which has nothing there."""
    made = session.user("POST", "/webhooks", json={"url": session.user.url, "events": ["task.deleted"]})
    if made.status_code == 422 and session.user.url.startswith("http://"):
        raise NotChecked("webhooks are https, and this API is not")
    expect_status(made, 201, _logs_of(made))
    path = f"/webhooks/{made.json()['id']}"
    try:
        expect_status(session.user("POST", f"{path}/test"), 202, "the logs of TestWebhookFunction")
        end, failure = time.monotonic() + _CALL_WAIT, None
        while failure is None and time.monotonic() < end:
            time.sleep(0.5)
            listed = session.user("GET", "/webhooks").json()
            failure = next(each for each in listed if each["id"] == made.json()["id"])["last_failure"]
        expect(
            failure and "status 40" in failure["reason"],
            f"the call ended with {failure and failure['reason']}",
            "WebhookDeliveriesQueue, the logs of DeliverWebhookFunction, and its way to the internet",
        )
    finally:
        deleted = session.user("DELETE", path)
    expect_status(deleted, 204, "the logs of DeleteWebhookFunction")


def token_ends(session: Session) -> None:
    """A token that has expired is refused, also while the gateway keeps its policy."""
    left = session.signed_in_at + session.lifetime + 5 - time.monotonic()
    if left > 90:
        raise NotChecked(f"tokens live for {session.lifetime} s: with TokenLifetime=60 this check waits")
    expect_status(session.user("GET", "/auth/me"), 200, "TokenLifetime")
    time.sleep(max(0, left))
    response = session.user("GET", "/auth/me")
    expect_status(response, 401, "the policy of functions/authorize: its condition is aws:CurrentTime")


CHECKS = (
    good_token_is_accepted,
    task_is_created_once,
    unchanged_is_not_sent_again,
    stale_changes_are_refused,
    links_lead_on,
    lists_by_assignee_and_by_due_date,
    list_comes_from_the_cache,
    tasks_are_deleted,
    session_goes_on_until_it_is_ended,
    program_can_use_a_key,
    webhook_is_called,
    token_ends,
)
