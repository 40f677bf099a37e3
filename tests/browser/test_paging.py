"""More tasks than one page of the list has."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.board import PAGE, Board, create_many
from tests.local_stack import Client, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def scroll_to_the_end(board: Board, titles: list[str]) -> Locator:
    """Load all pages of completed tasks, show the oldest task, and stop the timer of refreshes."""
    column = board.column("Completed")
    board.refresh()
    for count in ("200+", "201"):
        column.get_by_role("button", name="Load more").click()
        expect(column.locator(".count")).to_have_text(count)
    column.get_by_role("heading", name=titles[0]).scroll_into_view_if_needed()
    board.page.clock.install()
    board.page.clock.pause_at(time.time() + 60)
    return column


def find_all(client: Client, query: str) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = client("GET", f"/tasks?{query}").json()
    return tasks


def test_the_first_tasks_are_shown_before_the_columns_are_read(
    open_board: Callable[..., Board], colleague: Client
) -> None:
    titles = create_many(colleague, PAGE + 1)
    board = open_board()
    with board.paused("GET", "/tasks?**status=**"):
        board.sign_up()
        expect(board.card(titles[-1])).to_be_visible()
        expect(board.column("Pending").locator(".count")).to_have_text("100+")
    board.column("Pending").get_by_role("button", name="Load more").click()
    expect(board.card(titles[0])).to_be_visible()
    expect(board.column("Completed").get_by_text("Nothing here.")).to_be_visible()


def test_more_is_loaded_page_by_page(board: Board, colleague: Client) -> None:
    titles = create_many(colleague, PAGE + 30, status="COMPLETED")
    column, old = board.column("Completed"), board.add(unique("Pending"))
    board.refresh()
    expect(column.locator(".count")).to_have_text("100+")
    expect(board.column("Pending").locator(".count")).to_have_text("1")
    expect(board.column("Pending").get_by_role("button", name="Load more")).to_be_hidden()
    board.refresh()
    board.hide()
    sent = board.requests()
    column.get_by_role("button", name="Load more").click()
    expect(column.locator(".count")).to_have_text("130")
    assert len(sent) == 1
    board.hide(False)
    shown = column.get_by_role("heading", level=3).all_text_contents()
    assert shown == titles[::-1]
    # Changes of the oldest task appear when it is the turn of its page.
    oldest = find_all(colleague, "q=" + titles[0])[0]
    colleague("PATCH", f"/tasks/{oldest['id']}", json={"status": "PENDING"})
    create_many(colleague, 1, status="COMPLETED")
    for _ in range(7):
        board.refresh()
    expect(board.column("Pending").get_by_role("article")).to_have_count(2)
    expect(column.get_by_role("article")).to_have_count(130)
    expect(old).to_be_visible()


def test_what_is_in_view_is_up_to_date_after_each_refresh(board: Board, colleague: Client) -> None:
    titles = create_many(colleague, 2 * PAGE + 1, status="COMPLETED")
    column = scroll_to_the_end(board, titles)
    oldest = find_all(colleague, "q=" + titles[0])[0]["id"]
    for title in (unique("Seen"), unique("Seen")):
        colleague("PATCH", f"/tasks/{oldest}", json={"title": title})
        board.refresh()
        expect(column.get_by_role("heading", name=title)).to_be_visible()


def test_a_column_can_shrink_by_pages_while_its_end_is_in_view(board: Board, colleague: Client) -> None:
    titles = create_many(colleague, 2 * PAGE + 1, status="COMPLETED")
    create_many(colleague, 60)
    scroll_to_the_end(board, titles)
    while tasks := find_all(colleague, "status=COMPLETED&skip=51&limit=100"):
        for task in tasks:
            colleague("DELETE", f"/tasks/{task['id']}")
    sent = board.requests()
    board.refresh()
    # Reads the head, the second page, which is now the last, and one of the others in turn.
    status = board.page.locator("#status")
    await_condition(lambda: bool(status.text_content()) or len(sent) >= 3)
    expect(status).to_be_empty(timeout=1)


def test_a_task_moved_below_the_loaded_ones_stays_visible(board: Board, colleague: Client) -> None:
    title = unique("Old")
    board.add(title)
    create_many(colleague, PAGE + 1, status="COMPLETED")
    board.refresh()
    expect(board.column("Completed").locator(".count")).to_have_text("100+")
    form = board.edit(title)
    form.get_by_label("Status").select_option("Completed")
    board.save()
    moved = board.column("Completed").get_by_text(title)
    expect(moved).to_be_visible()
    board.page.clock.install(time=time.time() + 60)  # by when lists cannot lag
    for _ in range(5):
        board.refresh()
    later = unique("Later")
    colleague.create(later, status="COMPLETED")
    board.refresh()
    expect(board.card(later)).to_be_visible()
    expect(moved).to_be_visible()
