"""Search and filters."""

from __future__ import annotations

import time
import unicodedata
from urllib.parse import parse_qs, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.browser.board import PAGE, Board, create_many
from tests.local_stack import Client, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_a_search_finds_tasks_that_are_not_loaded(board: Board, colleague: Client) -> None:
    old = unique("Café")
    colleague.create(old)
    others = create_many(colleague, PAGE + 10)
    board.refresh()
    expect(board.column("Pending").locator(".count")).to_have_text("100+")
    expect(board.card(old)).to_have_count(0)
    board.search.fill(old.upper().replace("É", "E"))
    expect(board.card(old)).to_be_visible()
    expect(board.card(others[-1])).to_have_count(0)
    expect(board.column("Pending").locator(".count")).to_have_text("1")
    expect(board.page.get_by_text("Tasks found: 1.", exact=True)).to_be_attached()
    board.search.fill("many")
    expect(board.column("Pending").locator(".count")).to_have_text("100+")
    board.column("Pending").get_by_role("button", name="Load more").click()
    expect(board.column("Pending").get_by_role("article")).to_have_count(110)
    board.search.fill(" ")
    expect(board.column("Pending").locator(".count")).to_have_text("100+")


def test_a_decomposed_search_finds_composed_titles(board: Board) -> None:
    title = unique("한글 é")
    board.add(title)
    board.search.fill("zzznothing")
    expect(board.page.get_by_text("Tasks found: 0.", exact=True)).to_be_attached()
    with board.page.expect_request("**/tasks?**q=**") as sent:
        board.search.fill(unicodedata.normalize("NFD", title))
    assert parse_qs(urlsplit(sent.value.url).query)["q"] == [title]
    expect(board.card(title)).to_be_visible()


def test_a_search_is_sent_once_the_keys_rest(board: Board) -> None:
    board.add(unique("Type"))
    sent: list[str] = []
    board.page.on("request", lambda request: "q=" in request.url and sent.append(request.url))
    board.search.press_sequentially("type & more", delay=20)
    expect(board.column("Pending").get_by_text("Nothing here.")).to_be_visible()
    assert {parse_qs(urlsplit(url).query)["q"][0] for url in sent} == {"type & more"}


def test_nothing_is_said_to_be_here_before_the_server_says_so(board: Board, colleague: Client) -> None:
    held: list[Route] = []
    board.page.route("**/tasks?**q=**", lambda route: held.append(route))
    empty = board.column("Completed").get_by_text("Nothing here.")
    expect(empty).to_be_visible()
    board.search.fill("nowhere at all")
    expect(empty).to_have_count(0)
    await_condition(lambda: board.page.wait_for_timeout(50) is None and len(held) == 1)
    expect(empty).to_have_count(0)
    for route in held:
        route.continue_()
    expect(empty).to_be_visible()
    board.page.unroute("**/tasks?**q=**")


def test_a_card_stays_while_it_is_edited(board: Board) -> None:
    edited, other = unique("Edited"), unique("Found")
    board.add(edited)
    board.add(other)
    form = board.edit(edited)
    form.get_by_label("Description").fill("half a sentence")
    board.search.fill(other)
    expect(board.column("Pending").locator(".count")).to_have_text("1")
    expect(form.get_by_label("Description")).to_have_value("half a sentence")
    board.answer_dialogs(True)
    form.get_by_role("button", name="Cancel").click()
    expect(board.card(edited)).to_have_count(0)
    board.page.keyboard.press("Escape")
    expect(board.search).to_be_focused()


def test_mine_shows_only_the_users_tasks(board: Board, colleague: Client) -> None:
    mine, theirs, nobodys = unique("Mine"), unique("Theirs"), unique("Nobodys")
    colleague.create(mine, assignee=board.name)
    colleague.create(theirs, assignee="me", status="COMPLETED")
    colleague.create(nobodys)
    board.refresh()
    expect(board.card(nobodys)).to_be_visible()
    board.mine.click()
    expect(board.mine).to_have_attribute("aria-pressed", "true")
    expect(board.column("Completed").get_by_text("Nothing here.")).to_be_visible()
    expect(board.page.get_by_role("article")).to_have_count(1)
    expect(board.card(mine)).to_be_visible()
    board.mine.click()
    expect(board.card(theirs)).to_be_visible()


def test_the_search_and_mine_work_together(board: Board, colleague: Client) -> None:
    word = unique("Both")
    mine, theirs, other = f"{word} mine", f"{word} theirs", unique("Other")
    colleague.create(mine, assignee=board.name)
    colleague.create(theirs, assignee="me")
    colleague.create(other, assignee=board.name)
    board.refresh()
    expect(board.card(other)).to_be_visible()
    board.search.fill(word)
    expect(board.card(other)).to_have_count(0)
    expect(board.card(theirs)).to_be_visible()
    board.mine.click()
    expect(board.card(theirs)).to_have_count(0)
    expect(board.card(mine)).to_be_visible()
    board.search.fill("")
    expect(board.card(other)).to_be_visible()
    expect(board.card(theirs)).to_have_count(0)


def test_a_slow_search_does_not_delay_the_next(board: Board) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if "q=aaa" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    board.page.route("**/tasks?**q=**", hold_the_first)
    board.search.fill("aaa")
    await_condition(lambda: board.page.wait_for_timeout(50) is None and len(held) == 1)
    board.search.fill("bbb")
    expect(board.column("Completed").get_by_text("Nothing here.")).to_be_visible()
    expect(board.page.get_by_role("status").first).to_be_empty()
    assert len(held) == 1


def test_a_new_task_is_shown_only_by_searches_that_match(board: Board) -> None:
    title = unique("Apple")
    board.add(title)
    board.search.fill("zzznothing")
    expect(board.page.get_by_text("Tasks found: 0.", exact=True)).to_be_attached()
    expect(board.card(title)).to_have_count(0)
    expect(board.column("Pending").locator(".count")).to_have_text("0")
    board.search.fill(title)
    expect(board.card(title)).to_be_visible()


def test_a_task_written_under_a_filter_stays_until_the_filter_changes(
    board: Board, colleague: Client
) -> None:
    first, second, kept, theirs = unique("First"), unique("Second"), unique("Kept"), unique("Theirs")
    board.mine.click()
    expect(board.column("Completed").get_by_text("Nothing here.")).to_be_visible()
    one, two = board.create(first), board.create(second)
    board.add(kept, "Completed")
    board.page.clock.install(time=time.time() + 60)

    def await_turn(*tasks: str) -> None:
        """Refresh until the board has read the tasks that its list lacks."""
        for task in tasks:
            with board.page.expect_response(f"**/tasks/{task}"):
                for _ in range(4):
                    board.refresh()

    await_turn(one, two)
    colleague("PATCH", f"/tasks/{two}", json={"title": theirs})
    await_turn(two)
    expect(board.card(theirs)).to_be_visible()
    expect(board.card(kept)).to_be_visible()
    board.card(theirs).focus()
    colleague("DELETE", f"/tasks/{two}")
    await_turn(two)
    expect(board.card(theirs)).to_have_count(0)
    expect(board.card(first)).to_be_focused()
    colleague("DELETE", f"/tasks/{one}")
    await_turn(one)
    expect(board.card(first)).to_have_count(0)
    expect(board.search).to_be_focused()
    board.mine.click()
    expect(board.card(kept)).to_be_visible()
    expect(board.page.get_by_role("main")).to_have_attribute("aria-busy", "false")
    board.mine.click()
    expect(board.card(kept)).to_have_count(0)


def test_outdated_results_look_outdated(board: Board, colleague: Client) -> None:
    create_many(colleague, PAGE + 1)
    column, main = board.column("Pending"), board.page.get_by_role("main")
    count, more = column.locator(".count"), column.get_by_role("button", name="Load more")
    board.refresh()
    expect(count).to_have_text("100+")
    held: list[Route] = []
    board.page.route("**/tasks?**q=**", lambda route: held.append(route))
    board.search.fill("nowhere at all")
    await_condition(lambda: board.page.wait_for_timeout(50) is None and len(held) == 1)

    def expect_no_answer() -> None:
        expect(main).to_have_attribute("aria-busy", "true")
        expect(count).to_be_empty()
        expect(more).to_be_hidden()

    expect_no_answer()
    results = Axe().run(board.page)
    assert not results.violations_count, results.generate_report()
    for route in held:
        route.fulfill(status=500, body="")
    expect(board.page.get_by_role("status").first).to_contain_text("Not up to date")
    expect_no_answer()
    board.page.unroute("**/tasks?**q=**")
    board.page.evaluate("dispatchEvent(new Event('online'))")
    expect(main).to_have_attribute("aria-busy", "false")
    expect(count).to_have_text("0")
