"""A task's history in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.board import PAST, Board, await_trashed
from tests.local_stack import Client, Stack, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_history_describes_changes_newest_first(open_board: Callable[..., Board], colleague: Client) -> None:
    name, title, other = colleague("GET", "/auth/me").json()["username"], unique("A"), unique("B")
    task = colleague.create(title)["id"]
    changes: list[dict[str, Any]] = [
        {"status": "IN_PROGRESS"},
        {"title": other, "description": "one"},
        {"description": "two"},
        {"assignee": "me"},
        {"assignee": None, "labels": ["x", "y"]},
        {"labels": ["y"]},
        {"due_at": PAST},
        {"due_at": None, "description": None},
    ]
    for change in changes:
        colleague("PATCH", f"/tasks/{task}", json=change).raise_for_status()
    colleague("DELETE", f"/tasks/{task}")
    colleague("POST", f"/trash/{task}/restore", json={"title": title}).raise_for_status()
    board = open_board(locale="de-DE", timezone_id="America/New_York").sign_up()
    dialog = board.open_history(title)
    expect(dialog.locator("li > p")).to_have_text(
        [
            f"{name} {did}, jetzt"
            for did in (
                f"restored it and renamed it from “{other}” to “{title}”",
                "deleted it",
                "removed the description and removed the due date",
                "set the due date to Mittwoch, 31. Dezember 2025 um 19:00",
                "removed the label “x”",
                f"unassigned {name} and added the labels “x”, “y”",
                f"assigned it to {name}",
                "changed the description",
                f"renamed it from “{title}” to “{other}” and added a description",
                "moved it to In progress",
                f"created it as “{title}”",
            )
        ]
    )
    expect(dialog).not_to_contain_text("not recorded")
    changed = dialog.get_by_role("listitem").filter(has_text="changed the description")
    expect(changed.get_by_text("one", exact=True)).to_be_hidden()
    changed.get_by_text("The description before and after").click()
    expect(changed.get_by_text("one", exact=True)).to_be_visible()
    expect(changed.get_by_text("two", exact=True)).to_be_visible()
    board.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(board.card(title)).to_be_focused()


def test_a_key_is_shown_with_its_name_and_its_user(board: Board, colleague: Client, stack: Stack) -> None:
    name, title = colleague("GET", "/auth/me").json()["username"], unique("Key")
    key = colleague("POST", "/auth/keys", json={"name": "nightly report", "scope": "write"}).json()
    Client(stack.url, key["key"]).create(title)
    board.refresh()
    expect(board.card(title)).to_be_visible()
    expect(board.open_history(title)).to_contain_text(f"nightly report (a key of {name}) created it")


def test_history_is_loaded_page_by_page_and_in_the_trash(board: Board, colleague: Client) -> None:
    title = unique("Long")
    task = colleague.create(title)["id"]
    for number in range(24):
        colleague("PATCH", f"/tasks/{task}", json={"labels": [str(number)]}).raise_for_status()
    colleague("DELETE", f"/tasks/{task}")
    await_trashed(colleague, title)
    board.open_trash()
    link = board.row(title).get_by_role("link", name=title)
    link.click()
    dialog = board.page.get_by_role("dialog", name=title)
    rows = dialog.get_by_role("region", name="History").locator("li")
    expect(rows).to_have_count(20)
    expect(rows.first).to_contain_text("deleted it")
    dialog.get_by_role("button", name="Load more").click()
    expect(rows).to_have_count(26)
    expect(rows.last).to_contain_text("created it")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    board.page.keyboard.press("Escape")
    expect(link).to_be_focused()


@pytest.mark.parametrize("has_changes", [True, False])
def test_an_old_tasks_history_says_what_was_not_recorded(board: Board, has_changes: bool) -> None:
    change = {
        "version": 7,
        "at": PAST,
        "by": None,
        "key_of": None,
        "type": "task.updated",
        "changes": {"status": ["PENDING", "COMPLETED"]},
    }
    board.page.route("**/history?**", lambda route: route.fulfill(json=[change] if has_changes else []))
    title = unique("Old")
    board.add(title)
    dialog = board.open_history(title)
    if has_changes:
        expect(dialog).to_contain_text("Somebody moved it to Completed")
        expect(dialog).to_contain_text("What was changed before was not recorded.")
    else:
        expect(dialog).to_contain_text("What was changed so far was not recorded.")


def test_any_text_is_text(board: Board, colleague: Client) -> None:
    hostile = unique("<img src=x onerror=alert(1)><b>")
    task = colleague.create(hostile, description=hostile, labels=["<i>x</i>"])["id"]
    long = unique("<script>alert(1)</script>" * 4)
    colleague("PATCH", f"/tasks/{task}", json={"title": long, "description": "\U0001f600" * 9_000})
    board.refresh()
    expect(board.card(long)).to_be_visible()
    dialog = board.open_history(long)
    expect(dialog).to_contain_text(f"created it as “{hostile[:60]}")
    expect(dialog).to_contain_text(f"to “{long[:60]}…” and changed the description")
    dialog.get_by_text("The title before and after").first.click()
    expect(dialog.locator("dd").get_by_text(long, exact=True)).to_be_visible()
    assert board.panel.locator("img, i, script, b b").count() == 0
    assert board.panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")


def test_the_history_of_a_missing_task_says_so(board: Board, colleague: Client) -> None:
    title = unique("Gone")
    task = board.create(title)
    with board.paused("GET", f"/tasks/{task}/history?limit=20"):
        board.open(title)
        colleague("DELETE", f"/tasks/{task}")
        colleague("DELETE", f"/trash/{task}").raise_for_status()
    expect(board.message).to_have_text("It is not there any more.")
