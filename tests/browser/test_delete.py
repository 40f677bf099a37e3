"""Deletions, and how they are undone."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Dialog, expect

from tests.browser.board import Board, read
from tests.local_stack import Client, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_others_see_a_deletion_at_once(board: Board, colleague: Client) -> None:
    task = board.discard(unique("Gone"))
    assert colleague("GET", f"/tasks/{task}").status_code == 404
    expect(board.undo).to_be_visible()


def test_undo_restores_the_task_and_its_history(board: Board, colleague: Client) -> None:
    title = unique("Kept")
    task = board.discard(title)
    with board.page.expect_response("**/restore"):
        board.undo.click()
    expect(board.card(title)).to_be_focused()
    expect(board.page.get_by_text(f"{title} is back.", exact=True)).to_be_attached()
    expect(board.undo).to_have_count(0)
    assert read(colleague, task)["title"] == title
    types = [change["type"] for change in colleague("GET", f"/tasks/{task}/history").json()]
    assert types == ["task.restored", "task.deleted", "task.created"]


def test_the_notice_stays_while_it_is_hovered(board: Board) -> None:
    board.page.clock.install()
    title = unique("Notice")
    board.discard(title)
    board.undo.hover()
    board.page.clock.run_for(60_000)
    expect(board.undo).to_be_visible()
    board.page.mouse.move(0, 0)
    board.undo.focus()
    board.page.clock.run_for(60_000)
    expect(board.undo).to_be_visible()
    board.search.focus()
    board.page.clock.run_for(30_000)
    expect(board.undo).to_have_count(0)
    board.open_trash()
    expect(board.row(title)).to_be_visible()


def test_a_slow_deletion_can_be_undone_before_it_completes(board: Board, colleague: Client) -> None:
    title = unique("Slow")
    task = board.create(title)
    with board.page.expect_response("**/restore"), board.paused("DELETE", f"/tasks/{task}"):
        board.delete(title)
        board.undo.click()
        expect(board.card(title)).to_be_focused()
    expect(board.page.get_by_text(f"{title} is back.", exact=True)).to_be_attached()
    assert read(colleague, task)["title"] == title
    expect(board.card(title)).to_be_focused()  # it never disappeared


def test_a_slow_deletion_stays_out_of_sight(board: Board) -> None:
    title = unique("Slow")
    task = board.create(title)
    with board.paused("DELETE", f"/tasks/{task}"):
        board.delete(title)
        board.page.clock.install(time=time.time() + 60)  # by when lists cannot lag
        for _ in range(2):
            board.refresh()
        expect(board.card(title)).to_have_count(0)


def test_leaving_or_signing_out_completes_a_deletion(
    board: Board, open_board: Callable[..., Board], colleague: Client
) -> None:
    left, out = unique("Left"), unique("Out")
    task, other_task, other = board.create(left), None, open_board().sign_up()
    with board.page.expect_request(lambda request: request.method == "DELETE"):
        board.delete(left)
    board.page.goto("about:blank")
    await_condition(lambda: colleague("GET", f"/tasks/{task}").status_code == 404)
    other_task = other.create(out)
    with other.paused("GET", f"/tasks/{other_task}"):
        other.delete(out)
        other.page.get_by_role("button", name="Sign out").click()
    expect(other.page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert colleague("GET", f"/tasks/{other_task}").status_code == 404


def test_signing_out_does_not_wait_for_long(board: Board) -> None:
    title = unique("Stuck")
    task = board.create(title)
    board.page.route(f"**/tasks/{task}", lambda route: None)
    board.page.clock.install()
    board.delete(title)
    button = board.page.get_by_role("button", name="Sign out")
    button.click()
    expect(button).to_be_disabled()
    board.page.clock.run_for(15_000)
    expect(board.page.get_by_role("dialog", name="Sign in")).to_be_visible()


def test_leaving_before_a_deletion_is_sent_asks(board: Board, colleague: Client) -> None:
    title = unique("Ask")
    task = board.create(title)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    board.page.on("dialog", stay)
    with board.paused("GET", f"/tasks/{task}"):
        board.delete(title)
        board.page.evaluate("() => { location.href = 'about:blank'; }")
        await_condition(lambda: board.page.wait_for_timeout(50) is None and bool(asked))
    assert asked == ["beforeunload"]
    await_condition(
        lambda: (
            board.page.wait_for_timeout(50) is None and colleague("GET", f"/tasks/{task}").status_code == 404
        )
    )


def test_a_deletion_in_a_hidden_tab_is_done(board: Board, colleague: Client) -> None:
    title = unique("Hidden")
    task = board.create(title)
    board.page.evaluate(
        """title => {
          Object.defineProperty(document, 'hidden', {value: true});
          document.dispatchEvent(new Event('visibilitychange'));
          const cards = [...document.querySelectorAll('article')];
          const card = cards.find((one) => one.textContent.includes(title));
          card.dispatchEvent(new KeyboardEvent('keydown', {key: 'Delete', bubbles: true}));
        }""",
        title,
    )
    await_condition(
        lambda: (
            board.page.wait_for_timeout(50) is None and colleague("GET", f"/tasks/{task}").status_code == 404
        )
    )
    expect(board.card(title)).to_have_count(0)


def test_undo_asks_for_another_title_if_it_is_taken(board: Board, colleague: Client) -> None:
    title, other = unique("Taken"), unique("Other")
    task = board.discard(title)
    colleague.create(title)
    board.undo.click()
    expect(board.notices).to_contain_text("another task has this title by now")
    board.page.get_by_role("button", name="Choose another title").click()
    box = board.row(title).get_by_label("Another title")
    expect(box).to_be_focused()
    expect(box).to_have_value(title)
    with board.page.expect_response("**/restore"):
        box.press("Enter")
    expect(board.row(title).locator("form")).to_have_attribute("aria-busy", "false")
    expect(board.row(title)).to_contain_text("Another task has the title")
    box.fill(other)
    box.press("Enter")
    expect(board.row(title)).to_have_count(0)
    expect(board.page.get_by_role("dialog")).to_contain_text(f"“{other}” is on the board again.")
    assert read(colleague, task)["title"] == other
    board.page.keyboard.press("Escape")
    expect(board.card(other)).to_be_visible()
    expect(board.page.get_by_role("button", name="Trash", exact=True)).to_be_focused()


def test_undo_of_a_purged_task_says_so(board: Board, colleague: Client) -> None:
    title = unique("Purged")
    task = board.discard(title)
    assert colleague("DELETE", f"/trash/{task}").status_code == 204
    board.undo.click()
    expect(board.notices).to_contain_text(f"“{title}” cannot be restored: it is no longer in the trash.")
    expect(board.card(title)).to_have_count(0)
    expect(board.notices.get_by_role("button", name="Close")).to_be_focused()


def test_undo_of_a_restored_task_shows_it(board: Board, colleague: Client) -> None:
    title, theirs = unique("Restored"), unique("Theirs")
    task = board.discard(title)
    colleague("POST", f"/trash/{task}/restore", json={"title": theirs}).raise_for_status()
    board.undo.click()
    expect(board.card(theirs)).to_be_focused()


def test_a_failed_undo_can_be_retried(board: Board) -> None:
    title = unique("Again")
    board.discard(title)
    board.page.route("**/restore", lambda route: route.fulfill(status=500, body=""))
    board.undo.click()
    expect(board.notices).to_contain_text("was not restored")
    expect(board.card(title)).to_have_count(0)
    board.page.unroute("**/restore")
    expect(board.undo).to_be_focused()
    board.page.keyboard.press("Enter")
    expect(board.card(title)).to_be_focused()


def test_lost_responses_are_no_failures(board: Board, colleague: Client) -> None:
    title = unique("Lost")
    task = board.create(title)
    deletions = board.lose_first_response("DELETE", f"/tasks/{task}")
    board.delete(title)
    await_condition(lambda: board.page.wait_for_timeout(50) is None and len(deletions) == 2)
    restorations = board.lose_first_response("POST", f"/trash/{task}/restore")
    board.undo.click()
    expect(board.page.get_by_text(f"{title} is back.", exact=True)).to_be_attached()
    assert len(restorations) == 2
    assert read(colleague, task)["title"] == title
    expect(board.card(title)).to_be_visible()
    expect(board.notices.get_by_role("button")).to_have_count(0)
