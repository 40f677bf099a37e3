"""The trash."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.browser.board import Board, await_trashed, read
from tests.local_stack import Client, Stack, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_deleted_tasks_are_listed_and_restored(board: Board, colleague: Client) -> None:
    first, second = unique("First"), unique("Second")
    tasks = [colleague.create(title)["id"] for title in (first, second)]
    for task in tasks:
        colleague("DELETE", f"/tasks/{task}")
    in_trash = await_trashed(colleague, first, second)
    stored = next(task for task in in_trash if task["title"] == second)
    trash = board.open_trash()
    row = board.row(second)
    expect(row).to_be_visible()
    listed = trash.get_by_role("heading", level=3).all_inner_texts()
    assert listed[:2] == [task["title"] for task in in_trash[:2]]
    expect(row).to_contain_text(re.compile(r"Deleted now, kept until \w+ \d+, \d{4}"))
    times = row.locator("time").evaluate_all("times => times.map(time => Date.parse(time.dateTime) / 1000)")
    assert times == [stored["deleted_at"], stored["expires_at"]]
    row.get_by_role("button", name=f"Restore: {second}").click()
    expect(row).to_have_count(0)
    expect(trash).to_contain_text(f"“{second}” is on the board again.")
    expect(trash.locator("button.restore:focus")).to_have_count(1)
    trash.get_by_role("button", name="Close").click()
    expect(board.page.get_by_role("button", name="Trash", exact=True)).to_be_focused()
    expect(board.card(second)).to_be_visible()
    assert read(colleague, tasks[1])["title"] == second


def test_how_long_ago_is_said_in_the_readers_language(
    open_board: Callable[..., Board], colleague: Client
) -> None:
    title = unique("Ago")
    colleague("DELETE", f"/tasks/{colleague.create(title)['id']}")
    board = open_board(locale="de-DE").sign_up()
    await_trashed(colleague, title)
    board.page.clock.install(time=time.time() + 2 * 3_600 + 60)
    board.change_session(token="a.b.c")  # the board refreshes the token
    board.open_trash()
    expect(board.row(title).locator(".deleted")).to_have_text("Deleted vor 2 Stunden")


def test_the_trash_is_loaded_page_by_page(board: Board, colleague: Client) -> None:
    titles = [unique("Many") for _ in range(25)]
    for title in titles:
        colleague("DELETE", f"/tasks/{colleague.create(title)['id']}")
    await_trashed(colleague, *titles)
    trash = board.open_trash()
    expect(trash.get_by_role("listitem")).to_have_count(20)
    trash.get_by_role("button", name="Load more").click()
    expect(board.row(titles[0])).to_be_visible()
    assert set(trash.get_by_role("heading", level=3).all_inner_texts()[:25]) == set(titles)


def test_empty_pages_are_passed_and_an_empty_trash_says_so(board: Board, stack: Stack) -> None:
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        link = {"Link": f'<{stack.url}/trash?limit=20&cursor=x>; rel="next"'} if len(asked) == 1 else {}
        route.fulfill(json=[], headers=link)

    board.page.route("**/trash?**", answer)
    trash = board.open_trash()
    expect(trash).to_contain_text("The trash is empty.")
    assert asked == [f"{stack.url}/trash?limit=20", f"{stack.url}/trash?limit=20&cursor=x"]
    expect(trash.get_by_role("button", name="Load more")).to_be_hidden()


def test_the_trash_shows_deletions_that_the_list_lacks(board: Board) -> None:
    board.page.route("**/trash?**", lambda route: route.fulfill(json=[]))
    title = unique("Lag")
    board.discard(title)
    trash = board.open_trash()
    expect(board.row(title)).to_contain_text("Deleted now")
    expect(board.row(title).get_by_text("kept until")).to_be_hidden()
    board.row(title).get_by_role("button", name="Restore").click()
    expect(trash).to_contain_text("The trash is empty.")
    board.page.keyboard.press("Escape")
    expect(board.card(title)).to_be_visible()


def test_deleting_for_good_asks_once(board: Board, colleague: Client) -> None:
    title = unique("Purge")
    task = board.discard(title)
    trash = board.open_trash()
    row = board.row(title)
    purge = row.get_by_role("button", name=f"Delete for good: {title}", exact=True)
    purge.click()
    expect(row.get_by_role("button", name="Keep it")).to_be_focused()
    row.get_by_role("button", name="Keep it").click()
    expect(purge).to_be_focused()
    purge.click()
    row.get_by_role("button", name="Yes, delete for good").click()
    expect(row).to_have_count(0)
    expect(trash).to_contain_text(f"“{title}” is deleted for good.")
    assert colleague("DELETE", f"/trash/{task}").status_code == 404
    assert colleague("GET", f"/tasks/{task}").status_code == 404


def test_a_taken_title_asks_for_another(board: Board, colleague: Client) -> None:
    title, other = unique("Taken"), unique("Other")
    task = board.discard(title)
    colleague.create(title)
    board.open_trash()
    row = board.row(title)
    row.get_by_role("button", name="Restore").click()
    expect(board.message).to_contain_text(f"Another task has the title “{title}” by now.")
    expect(row.get_by_label("Another title")).to_be_focused()
    row.get_by_label("Another title").fill(other)
    row.get_by_role("button", name="Restore").click()
    expect(row).to_have_count(0)
    assert read(colleague, task)["title"] == other


def test_somebody_was_faster(board: Board, colleague: Client) -> None:
    restored, kept, purged = unique("Restored"), unique("Kept"), unique("Purged")
    tasks = {title: board.discard(title) for title in (restored, kept, purged)}
    trash = board.open_trash()
    for title in tasks:
        expect(board.row(title)).to_be_visible()
    for title in (restored, kept):
        colleague("POST", f"/trash/{tasks[title]}/restore").raise_for_status()
    colleague("DELETE", f"/trash/{tasks[purged]}").raise_for_status()
    board.row(restored).get_by_role("button", name="Restore: ").click()
    expect(trash).to_contain_text(f"“{restored}” is on the board again.")
    board.row(kept).get_by_role("button", name="Delete for good").click()
    board.row(kept).get_by_role("button", name="Yes, delete for good").click()
    expect(trash).to_contain_text(f"“{kept}” was not deleted: somebody has restored it meanwhile.")
    board.row(purged).get_by_role("button", name="Restore: ").click()
    expect(trash).to_contain_text(f"“{purged}” is no longer in the trash")
    board.page.keyboard.press("Escape")
    expect(board.card(restored)).to_be_visible()
    expect(board.card(kept)).to_be_visible()
    expect(board.card(purged)).to_have_count(0)


def test_lost_responses_are_no_failures(board: Board, colleague: Client) -> None:
    restored, purged = unique("Restored"), unique("Purged")
    tasks = [board.discard(title) for title in (restored, purged)]
    board.lose_first_response("POST", f"/trash/{tasks[0]}/restore")
    board.lose_first_response("DELETE", f"/trash/{tasks[1]}")
    trash = board.open_trash()
    board.row(restored).get_by_role("button", name="Restore: ").click()
    expect(trash).to_contain_text(f"“{restored}” is on the board again.")
    board.row(purged).get_by_role("button", name="Delete for good: ").click()
    board.row(purged).get_by_role("button", name="Yes, delete for good").click()
    expect(trash).to_contain_text(f"“{purged}” is deleted for good.")
    expect(board.message).to_have_count(0)


def test_a_failed_page_can_be_retried(board: Board) -> None:
    title = unique("Later")
    board.discard(title)
    board.page.route("**/trash?**", lambda route: route.fulfill(status=500, body=""))
    trash = board.open_trash()
    expect(board.message).to_contain_text("status 500")
    expect(trash).not_to_contain_text("empty")
    board.page.unroute("**/trash?**")
    trash.get_by_role("button", name="Load more").click()
    expect(board.row(title)).to_have_count(1)
    expect(board.row(title)).to_contain_text("kept until")
    expect(board.message).to_have_count(0)
