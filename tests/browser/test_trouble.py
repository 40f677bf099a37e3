"""Failing servers, proxies and storages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.board import PASSWORD, WHEN_OTHERS_WRITE, Board
from tests.local_stack import Client, Stack, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_a_wrong_password_is_said(open_board: Callable[..., Board]) -> None:
    board = open_board()
    board.fill_in("nobody-here", "not the password")
    board.page.get_by_role("button", name="Sign in").click()
    expect(board.message).to_contain_text("wrong")
    expect(board.page.get_by_label("Username")).to_have_value("nobody-here")


def test_an_invalid_username_or_password_is_explained(open_board: Callable[..., Board]) -> None:
    board = open_board()
    expect(board.page.get_by_role("dialog")).to_contain_text("3 to 32 letters")
    board.fill_in("a b", "short")
    board.page.get_by_role("button", name="Sign up").click()
    expect(board.message).to_contain_text("username: This cannot be a username")
    expect(board.message).to_contain_text("password: ")
    expect(board.message).not_to_contain_text("pattern")


def test_an_ended_session_asks_for_the_password_and_continues(board: Board) -> None:
    title = unique("Expired")
    board.add(title)
    form = board.edit(title)
    form.get_by_label("Description").fill("typed before")
    board.change_session(token="a.b.c", refreshToken="ended")
    board.save()
    dialog = board.page.get_by_role("dialog", name="Sign in")
    expect(dialog).to_contain_text("Your session has ended")
    board.page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    expect(board.page.get_by_label("Username")).to_have_value(board.name)
    board.page.get_by_label("Password").fill(PASSWORD)
    board.page.get_by_role("button", name="Sign in").click()
    expect(board.panel.locator(".text")).to_have_text("typed before")


def test_an_expired_token_is_renewed_unnoticed(board: Board) -> None:
    title = unique("Renewed")
    board.change_session(token="a.b.c")
    board.add(title)
    expect(board.page.get_by_role("dialog")).to_be_hidden()


def test_tabs_share_a_session_until_one_signs_out(board: Board) -> None:
    other = board.context.new_page()
    other.goto(board.page.url)
    expect(other.get_by_label("New task in Pending")).to_be_visible()
    expect(other.get_by_role("dialog")).to_be_hidden()
    board.page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("dialog")).to_be_visible()


def test_a_reload_keeps_the_session_and_signing_out_ends_it(board: Board) -> None:
    title = unique("Reload")
    board.add(title)
    board.page.reload()
    expect(board.card(title)).to_be_visible()
    board.page.get_by_role("button", name="Sign out").click()
    expect(board.page.get_by_role("dialog")).to_be_visible()
    expect(board.card(title)).to_have_count(0)


def test_a_slow_network_creates_no_task_twice(board: Board, colleague: Client) -> None:
    def slow(route: Route) -> None:
        board.page.wait_for_timeout(500)
        route.continue_()

    title = unique("Slow")
    board.page.route("**/tasks", slow)
    box = board.page.get_by_label("New task in Pending")
    box.fill(title)
    for _ in range(3):
        box.press("Enter")
    expect(board.card(title)).to_have_count(1)
    expect(box).to_have_value("")
    assert board.message.count() == 0


def test_a_lost_response_creates_no_task_twice(board: Board) -> None:
    tries = board.lose_first_response("POST", "/tasks")
    board.add(unique("Lost"))
    first, second = (request.headers["idempotency-key"] for request in tries)
    assert first == second


def test_a_lost_response_of_a_change_is_no_conflict(board: Board) -> None:
    title, other = unique("Lost"), unique("Changed")
    board.add(title)
    form = board.edit(title)
    tries = board.lose_first_response("PATCH", "/tasks/*")
    form.get_by_label("Title").fill(other)
    board.save()
    expect(board.card(other)).to_be_visible()
    assert len(tries) == 2


def test_a_failing_server_loses_no_draft(board: Board) -> None:
    title = unique("Failing")
    board.add(title)
    expect(board.open_history(title)).to_contain_text("created it")

    def fail(route: Route) -> None:
        route.fulfill(status=500, body="<h1>no problem document</h1>")

    board.page.route("**/tasks*/**", fail)
    form = board.edit(title)
    form.get_by_label("Description").fill("still here")
    board.save()
    expect(board.message).to_contain_text("status 500")
    expect(form.get_by_label("Description")).to_have_value("still here")
    board.page.unroute("**/tasks*/**")
    board.save()
    expect(board.panel.locator(".text")).to_have_text("still here")


def test_a_failed_move_is_undone(board: Board) -> None:
    title = unique("Stay")
    board.add(title)
    board.page.route("**/tasks/*", lambda route: route.fulfill(status=500, body=""))
    board.act(title, "Move to In progress")
    expect(board.notices).to_contain_text("was not moved")
    expect(board.column("Pending").get_by_text(title)).to_be_visible()


def test_a_failed_refresh_is_reported_and_retried(board: Board, colleague: Client) -> None:
    title = unique("Later")
    shown = board.add(unique("Shown"))
    board.page.route("**/tasks?**", lambda route: route.fulfill(status=500, body=""))
    colleague.create(title)
    board.page.evaluate("dispatchEvent(new Event('online'))")
    status = board.page.get_by_role("status").first
    expect(status).to_contain_text("Not up to date")
    expect(shown).to_be_visible()
    board.page.unroute("**/tasks?**")
    expect(board.card(title)).to_be_visible(timeout=2 * WHEN_OTHERS_WRITE)
    expect(status).to_be_empty()


@pytest.mark.parametrize(
    "response",
    [
        {"content_type": "text/html", "body": "<h1>Sign in to this network</h1>"},
        {"json": {"message": None}},
        {"json": [{}]},
        {"body": ""},
        {"status": 304},
    ],
    ids=["html", "object", "array", "empty", "304"],
)
def test_a_response_that_is_not_the_apis_is_reported(board: Board, response: dict[str, Any]) -> None:
    title = unique("Proxy")
    shown = board.add(unique("Shown"))
    board.discard(title)
    said = "Something else than the API answered."
    board.page.route(re.compile("/(tasks|trash)"), lambda route: route.fulfill(**response))
    board.page.evaluate("dispatchEvent(new Event('online'))")
    if response != {"status": 304}:
        expect(board.page.get_by_role("status").first).to_contain_text(said)
    expect(shown).to_be_visible()
    board.page.get_by_label("New task in Completed").fill("typed")
    board.page.get_by_label("New task in Completed").press("Enter")
    expect(board.column("Completed").get_by_role("alert")).to_contain_text(said)
    board.undo.click()
    expect(board.notices).to_contain_text(f"“{title}” was not restored. {said}")
    board.page.get_by_role("article").first.press("Delete")
    expect(board.notices).to_contain_text(f"was not deleted. {said}")
    expect(shown).to_be_visible()
    board.open_trash()
    expect(board.page.get_by_role("dialog").get_by_role("alert")).to_contain_text(said)


@pytest.mark.parametrize(
    "response",
    [{"json": {"access_token": None}}, {"content_type": "text/html", "body": "<p>Welcome</p>"}],
    ids=["object", "html"],
)
def test_a_sign_in_answered_by_a_proxy_is_reported(
    open_board: Callable[..., Board], response: dict[str, Any]
) -> None:
    board = open_board()
    board.page.route("**/auth/login", lambda route: route.fulfill(**response))
    board.fill_in("somebody")
    board.page.get_by_role("button", name="Sign in").click()
    expect(board.message).to_contain_text("Something else than the API answered.")


@pytest.mark.parametrize("problem", [{"detail": {}, "errors": "x"}, {"errors": [None, {}]}, "no", None])
def test_an_error_without_a_problem_document_is_reported(board: Board, problem: object) -> None:
    board.page.route("**/tasks", lambda route: route.fulfill(status=400, json=problem))
    box = board.page.get_by_label("New task in Pending")
    box.fill("typed")
    box.press("Enter")
    expect(board.message).to_have_text("The server answered with the status 400.")


@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('denied'); }})",
        "Storage.prototype.setItem = () => { throw new Error('quota'); }",
        "localStorage.session ??= '{broken'",
        "localStorage.session ??= '[5]'",
    ],
    ids=["denied", "full", "broken", "other"],
)
def test_a_failing_storage_leaves_the_board_usable(
    open_board: Callable[..., Board], stack: Stack, script: str
) -> None:
    board = open_board("about:blank")
    board.page.add_init_script(f"if (location.protocol === 'http:') {{ {script}; }}")
    board.page.goto(stack.url)
    board.sign_up()
    title = unique("Visit")
    board.add(title)
    board.act(title, "Move to In progress")
    expect(board.column("In progress").get_by_text(title)).to_be_visible()
    board.page.get_by_role("button", name="Sign out").click()
    expect(board.page.get_by_role("dialog", name="Sign in")).to_be_visible()


def test_a_long_wait_is_reported_at_once(board: Board) -> None:
    tries: list[str] = []

    def throttle(route: Route) -> None:
        tries.append(route.request.url)
        route.fulfill(status=429, headers={"Retry-After": "850"}, body="")

    board.page.route("**/tasks", throttle)
    box = board.page.get_by_label("New task in Pending")
    box.fill("typed")
    box.press("Enter")
    expect(board.message).to_contain_text("Try again in 850 s.", timeout=5_000)
    assert len(tries) == 1
    board.page.route("**/tasks?**", throttle)
    board.page.evaluate("dispatchEvent(new Event('online'))")
    expect(board.page.get_by_role("status").first).to_contain_text("Trying again in 850 s.")


def test_a_short_wait_is_waited_for(board: Board) -> None:
    tries: list[str] = []

    def throttle(route: Route) -> None:
        tries.append(route.request.url)
        if len(tries) == 1:
            route.fulfill(status=429, headers={"Retry-After": "1"}, body="")
        else:
            route.continue_()

    board.page.route("**/tasks", throttle)
    board.add(unique("Short"))
    assert len(tries) == 2
