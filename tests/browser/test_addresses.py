"""Links, filters in the address, back and forward."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.board import FUTURE, PAST, Board, await_trashed
from tests.local_stack import Client, Stack, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_a_link_opens_its_task_also_after_signing_in(
    open_board: Callable[..., Board], colleague: Client, stack: Stack
) -> None:
    title = unique("Linked")
    task = colleague.create(title)["id"]
    board = open_board(f"{stack.url}/#/task/{task}").sign_up()
    expect(board.page.get_by_role("dialog", name=title)).to_be_visible()
    expect(board.page).to_have_title(f"{title} – Tasks")
    board.page.keyboard.press("Escape")
    expect(board.panel).to_be_hidden()
    expect(board.page).to_have_title("Tasks")
    assert board.page.url.endswith("#")


def test_a_link_opens_a_task_in_the_trash(board: Board, colleague: Client, stack: Stack) -> None:
    title = unique("Trashed")
    task = colleague.create(title)["id"]
    colleague("DELETE", f"/tasks/{task}")
    await_trashed(colleague, title)
    board.page.goto(f"{stack.url}/#/task/{task}")
    expect(board.page.get_by_role("dialog", name=title)).to_contain_text("In the trash")


@pytest.mark.parametrize("task", ["7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10", "x"])
def test_a_link_of_no_task_says_so(board: Board, stack: Stack, task: str) -> None:
    board.page.goto(f"{stack.url}/#/task/{task}")
    expect(board.page.get_by_role("dialog", name="There is no such task")).to_be_visible()
    expect(board.panel.get_by_role("button", name="Edit")).to_have_count(0)
    board.page.keyboard.press("Escape")
    expect(board.panel).to_be_hidden()


def test_a_link_is_not_looked_for_in_all_of_a_long_trash(
    board: Board, colleague: Client, stack: Stack
) -> None:
    task = colleague.create(unique("Deleted"))["id"]
    colleague("DELETE", f"/tasks/{task}")
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(json=[], headers={"Link": f'<{stack.url}/trash?limit=100&cursor=x>; rel="next"'})

    board.page.route("**/trash?limit=100**", answer)
    board.page.goto(f"{stack.url}/#/task/{task}")
    panel = board.page.get_by_role("dialog", name="The task is not on the board")
    expect(panel).to_contain_text("It may be in the trash.")
    assert len(asked) == 5
    panel.get_by_role("button", name="Open the trash").click()
    expect(board.page.get_by_role("dialog", name="Trash")).to_be_visible()
    expect(board.panel).to_be_hidden()


def test_a_failed_read_of_a_task_can_be_retried(board: Board, colleague: Client, stack: Stack) -> None:
    title = unique("Linked")
    board.page.route("**/tasks/*", lambda route: route.fulfill(status=500, body=""))
    board.page.route("**/tasks?**", lambda route: route.fulfill(status=500, body=""))
    task = colleague.create(title, status="COMPLETED")["id"]
    board.page.goto(f"{stack.url}/#/task/{task}")
    expect(board.message).to_contain_text("status 500")
    board.page.unroute("**/tasks/*")
    board.page.get_by_role("button", name="Try again").click()
    expect(board.page.get_by_role("dialog", name=title)).to_be_visible()
    board.page.unroute("**/tasks?**")


def test_back_and_forward_work(board: Board) -> None:
    title = unique("History")
    board.add(title)
    board.open(title)
    board.page.keyboard.press("Escape")
    board.mine.click()
    expect(board.card(title)).to_have_count(0)
    board.page.go_back()
    expect(board.mine).to_have_attribute("aria-pressed", "false")
    expect(board.card(title)).to_be_visible()
    board.page.go_back()
    expect(board.page.get_by_role("dialog", name=title)).to_be_visible()
    board.page.go_forward()
    expect(board.panel).to_be_hidden()
    board.open_trash()
    board.page.go_back()
    expect(board.page.get_by_role("dialog", name="Trash")).to_be_hidden()


def test_going_back_from_a_draft_asks_for_a_confirmation(board: Board) -> None:
    title = unique("Typed")
    board.add(title)
    form = board.edit(title)
    form.get_by_label("Description").fill("half a sentence")
    address = board.page.url
    asked = board.answer_dialogs(False)
    board.page.go_back()
    await_condition(lambda: board.page.wait_for_timeout(50) is None and bool(asked))
    expect(form.get_by_label("Description")).to_have_value("half a sentence")
    assert board.page.url == address


def test_filters_are_in_the_address(
    board: Board, open_board: Callable[..., Board], colleague: Client
) -> None:
    title, label = unique("Filter"), unique("Küche")
    colleague.create(title, labels=[label], assignee=board.name)
    colleague.create(f"{title} other", labels=[label])
    board.refresh()
    expect(board.card(title)).to_be_visible()
    board.card(title).get_by_role("link", name=label).click()
    board.search.fill(title)
    board.mine.click()
    expect(board.page.get_by_role("article")).to_have_count(1)
    with board.page.expect_response("**/tasks?**"):
        board.page.reload()
    expect(board.search).to_have_value(title)
    expect(board.mine).to_have_attribute("aria-pressed", "true")
    chosen = board.page.get_by_role("button", name=f"Label: {label}")
    expect(chosen).to_be_visible()
    expect(board.page.get_by_role("article")).to_have_count(1)
    board.mine.click()
    expect(board.page.get_by_role("article")).to_have_count(2)
    board.open(title)
    assert f"q={title.split()[0]}" in board.page.url
    board.page.keyboard.press("Escape")
    chosen.click()
    expect(chosen).to_have_count(0)
    expect(board.search).to_be_focused()


def test_tasks_can_be_sorted_by_due_date(board: Board, colleague: Client) -> None:
    late, soon, free, new = unique("Late"), unique("Soon"), unique("Free"), unique("New")
    colleague.create(soon, due_at=PAST)
    colleague.create(late, due_at=FUTURE)
    colleague.create(free)
    board.refresh()
    expect(board.card(free)).to_be_visible()
    board.page.get_by_role("button", name="By due date").click()
    expect(board.card(free)).to_have_count(0)
    headings = board.column("Pending").get_by_role("heading", level=3)
    expect(headings).to_have_text([soon, late])
    board.add(new)
    expect(headings).to_have_text([soon, late, new])
    board.edit(new).get_by_label("Due date").fill("2050-01-01")
    board.save()
    expect(headings).to_have_text([soon, new, late])
