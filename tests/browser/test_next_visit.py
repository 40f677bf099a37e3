"""What the browser stores: the last board, and drafts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.board import Board, create_many, find, read
from tests.local_stack import Client, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_the_last_board_is_shown_until_the_list_loads(board: Board, colleague: Client) -> None:
    title, new = unique("Last"), unique("New")
    colleague.create(title, status="IN_PROGRESS")
    board.refresh()
    expect(board.card(title)).to_be_visible()
    colleague.create(new)
    with board.paused("GET", "/tasks?**") as held:
        board.page.reload()
        expect(board.column("In progress").get_by_text(title)).to_be_visible()
        expect(board.page.get_by_role("main")).to_have_attribute("aria-busy", "true")
        expect(board.card(new)).to_have_count(0)
    assert len(held) == 1
    assert "if-none-match" in held[0].request.headers
    expect(board.card(new)).to_be_visible()
    expect(board.page.get_by_role("main")).to_have_attribute("aria-busy", "false")


def test_signing_out_deletes_the_stored_board(board: Board) -> None:
    title = unique("Secret")
    board.add(title)
    stored = "JSON.stringify(localStorage)"
    await_condition(lambda: board.refresh() is None and title in board.page.evaluate(stored))
    board.page.get_by_role("button", name="Sign out").click()
    expect(board.page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert title not in board.page.evaluate(stored)


def test_a_board_that_is_too_large_is_not_stored(board: Board, colleague: Client) -> None:
    create_many(colleague, 60, description="x" * 9_000)
    board.refresh()
    expect(board.page.get_by_role("article")).to_have_count(60)
    assert board.page.evaluate("JSON.stringify(localStorage).length") < 500_000


def crash(board: Board) -> None:
    """Crash the page, and open it again."""
    asked = board.answer_dialogs(True)
    url, page = board.page.url, board.page
    board.page = board.context.new_page()
    page.close()
    board.page.goto(url)
    assert asked == []


def test_a_draft_is_offered_when_its_task_opens(board: Board, colleague: Client) -> None:
    title, theirs = unique("Draft"), unique("Theirs")
    task = board.create(title)
    form = board.edit(title)
    form.get_by_label("Description").fill("half a sentence")
    form.get_by_label("Labels").fill("one, t")
    colleague("PATCH", f"/tasks/{task}", json={"title": theirs, "labels": ["x"]})
    crash(board)
    panel = board.page.get_by_role("dialog", name=theirs)
    expect(panel).to_contain_text("What you typed here is not saved.")
    panel.get_by_role("button", name="Go on").click()
    form = board.page.get_by_role("form", name="Edit ")
    expect(form.get_by_label("Description")).to_have_value("half a sentence")
    expect(form.get_by_label("Labels")).to_have_value("one, t")
    board.save()
    form.get_by_role("group", name="labels").get_by_role("button", name="Keep mine").click()
    expect(form).to_have_count(0)
    expect(panel).not_to_contain_text("not saved")
    stored = read(colleague, task)
    fields = ("title", "description", "labels")
    assert [stored[field] for field in fields] == [theirs, "half a sentence", ["one", "t"]]
    crash(board)
    expect(board.panel).to_contain_text("half a sentence")
    expect(board.panel).not_to_contain_text("not saved")


@pytest.mark.parametrize("is_in_editor", [True, False])
def test_a_discarded_draft_is_not_offered(board: Board, is_in_editor: bool) -> None:
    title = unique("Draft")
    board.add(title)
    form = board.edit(title)
    form.get_by_label("Description").fill("half a sentence")
    if is_in_editor:
        board.answer_dialogs(True)
        form.get_by_role("button", name="Cancel").click()
    else:
        crash(board)
        board.page.get_by_role("button", name="Discard it").click()
    crash(board)
    expect(board.panel).to_contain_text("created it")
    expect(board.panel).not_to_contain_text("not saved")


def test_a_draft_of_a_deleted_task_can_be_created_again(board: Board, colleague: Client) -> None:
    title = unique("Gone")
    task = board.create(title)
    board.edit(title).get_by_label("Description").fill("half a sentence")
    colleague("DELETE", f"/tasks/{task}")
    colleague("DELETE", f"/trash/{task}").raise_for_status()
    crash(board)
    board.page.get_by_role("button", name="Go on").click()
    board.save()
    board.page.get_by_role("button", name="Create it again").click()
    expect(board.panel.locator(".text")).to_have_text("half a sentence")
    assert (find(colleague, title) or {})["description"] == "half a sentence"


def test_the_draft_of_a_new_task_survives_until_it_is_added(board: Board) -> None:
    title = unique("Draft")
    box = board.page.get_by_label("New task in Completed")
    box.press_sequentially(title)
    asked = board.answer_dialogs(True)
    board.page.reload()
    assert asked == []
    expect(box).to_have_value(title)
    crash(board)
    box = board.page.get_by_label("New task in Completed")
    expect(box).to_have_value(title)
    box.press("Enter")
    expect(board.card(title)).to_be_visible()
    expect(box).to_have_value("")
    crash(board)
    expect(board.card(title)).to_be_visible()
    expect(board.page.get_by_label("New task in Completed")).to_have_value("")


def test_signing_out_asks_and_discards_drafts(board: Board) -> None:
    title = unique("Draft")
    board.add(title)
    board.edit(title).get_by_label("Description").fill("half a sentence")
    crash(board)
    board.page.keyboard.press("Escape")
    asked = board.answer_dialogs(False)
    board.page.get_by_role("button", name="Sign out").click()
    assert asked == ["Sign out, and discard what you typed?"]
    board.answer_dialogs(True)
    board.page.get_by_role("button", name="Sign out").click()
    expect(board.page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert "half a sentence" not in board.page.evaluate("JSON.stringify(localStorage)")
