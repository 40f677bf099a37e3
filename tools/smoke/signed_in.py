"""Checks that need a user."""

from __future__ import annotations

import time

from tools.smoke import tasks
from tools.smoke.client import Client, NotChecked, expect, expect_status
from tools.smoke.session import Session, logs_of

_CALL_WAIT = 30
"""Seconds within which a webhook must be called."""


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
    """A valid token is accepted, also the second time."""
    for _ in range(2):
        response = session.user("GET", "/auth/me")
        expect_status(response, 200, "the policy of functions/authorize: its condition is aws:CurrentTime")
    response = session.user("GET", "/auth/me/")
    expect_status(response, 200, "the route with a trailing slash")


def session_goes_on_until_it_is_ended(session: Session) -> None:
    """A session can be refreshed, and ends at sign-out."""
    signed_in = session.user("POST", "/auth/login", data=session.credentials)
    expect_status(signed_in, 200, "the username and the password")
    form = {"grant_type": "refresh_token", "refresh_token": signed_in.json()["refresh_token"]}
    refreshed = session.user("POST", "/auth/login", data=form)
    expect_status(refreshed, 200, logs_of(refreshed))
    token = refreshed.json()["refresh_token"]
    expect_status(session.user("POST", "/auth/revoke", data={"token": token}), 200, "RevokeTokenFunction")
    again = session.user("POST", "/auth/login", data={**form, "refresh_token": token})
    expect_status(again, 400, "the logs of LoginFunction")


def program_can_use_a_key(session: Session) -> None:
    """An API key with the scope read can read, but not write."""
    created = session.user("POST", "/auth/keys", json={"name": "made by make smoke", "scope": "read"})
    expect_status(created, 201, logs_of(created))
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
    """A webhook can be created, and its test event reaches this API over the internet."""
    made = session.user("POST", "/webhooks", json={"url": session.user.url, "events": ["task.deleted"]})
    if made.status_code == 422 and session.user.url.startswith("http://"):
        raise NotChecked("webhooks need https, which this API does not use")
    expect_status(made, 201, logs_of(made))
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
            "WebhookDeliveriesQueue, the logs of DeliverWebhookFunction, and its internet access",
        )
    finally:
        deleted = session.user("DELETE", path)
    expect_status(deleted, 204, "the logs of DeleteWebhookFunction")


def token_ends(session: Session) -> None:
    """An expired token is rejected, also while the gateway caches its policy."""
    left = session.signed_in_at + session.lifetime + 5 - time.monotonic()
    if left > 90:
        raise NotChecked(f"tokens are valid for {session.lifetime} s: this check needs TokenLifetime=60")
    expect_status(session.user("GET", "/auth/me"), 200, "TokenLifetime")
    time.sleep(max(0, left))
    response = session.user("GET", "/auth/me")
    expect_status(response, 401, "the policy of functions/authorize: its condition is aws:CurrentTime")


CHECKS = (
    good_token_is_accepted,
    tasks.task_is_created_once,
    tasks.unchanged_is_not_sent_again,
    tasks.stale_changes_are_refused,
    tasks.links_lead_on,
    tasks.lists_by_assignee_and_by_due_date,
    tasks.list_comes_from_the_cache,
    tasks.deleted_task_is_restored,
    tasks.tasks_are_removed,
    session_goes_on_until_it_is_ended,
    program_can_use_a_key,
    webhook_is_called,
    token_ends,
)
