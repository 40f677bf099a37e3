"""The panel that shows a task."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.board import FUTURE, Board, await_trashed, read
from tests.local_stack import Client, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_a_task_is_read_first(board: Board, colleague: Client) -> None:
    title, name = unique("Read"), colleague("GET", "/auth/me").json()["username"]
    fields = {"description": "why", "assignee": "me", "labels": ["home"], "due_at": FUTURE}
    colleague.create(title, status="IN_PROGRESS", **fields)
    board.refresh()
    expect(board.card(title)).to_be_visible()
    expect(board.card(title)).not_to_contain_text("why")
    expect(board.card(title).get_by_role("img", name="Has a description")).to_be_visible()
    board.card(title).press("Enter")
    panel = board.page.get_by_role("dialog", name=title)
    expect(panel.get_by_role("heading", name=title)).to_be_focused()
    expect(panel.get_by_role("textbox")).to_have_count(0)
    for text in ("In progress", "why", name, "home", "Due Jan 1, 2100", "created it"):
        expect(panel).to_contain_text(text)


def test_empty_fields_are_not_shown(board: Board) -> None:
    title = unique("Bare")
    board.add(title)
    panel = board.open(title)
    for name in ("Labels", "Assignee", "Due"):
        expect(panel.get_by_text(name, exact=True)).to_be_hidden()


def test_the_panel_shows_changes_of_others(board: Board, colleague: Client) -> None:
    title, other = unique("Open"), unique("Renamed")
    task = board.create(title)
    board.open(title)
    colleague("PATCH", f"/tasks/{task}", json={"title": other})
    board.refresh()
    expect(board.page.get_by_role("dialog", name=other)).to_be_visible()
    expect(board.panel).to_contain_text("renamed it")
    colleague("DELETE", f"/tasks/{task}")
    board.refresh()
    expect(board.panel).to_contain_text("In the trash")


def test_another_task_replaces_it(board: Board) -> None:
    one, other = unique("One"), unique("Other")
    board.add(one)
    board.add(other)
    board.open(one)
    board.open(other)
    board.page.keyboard.press("Escape")
    expect(board.card(other)).to_be_focused()
    form = board.edit(one)
    form.get_by_label("Description").fill("half a sentence")
    board.answer_dialogs(False)
    board.card(other).get_by_role("link", name=other).click()
    expect(form.get_by_label("Description")).to_have_value("half a sentence")
    board.answer_dialogs(True)
    board.open(other)
    expect(form).to_have_count(0)


def test_a_task_is_deleted_from_it(board: Board, colleague: Client) -> None:
    title = unique("Delete")
    task = board.create(title)
    panel = board.open(title)
    with board.page.expect_response(lambda response: response.request.method == "DELETE"):
        panel.get_by_role("button", name="Delete").click()
    expect(board.panel).to_be_hidden()
    expect(board.undo).to_be_visible()
    assert colleague("GET", f"/tasks/{task}").status_code == 404


def test_a_task_in_the_trash_is_read_and_restored(board: Board, colleague: Client) -> None:
    title = unique("Trashed")
    task = colleague.create(title, description="what it was")["id"]
    colleague("DELETE", f"/tasks/{task}")
    await_trashed(colleague, title)
    trash = board.open_trash()
    board.row(title).get_by_role("link", name=title).click()
    panel = board.page.get_by_role("dialog", name=title)
    expect(panel).to_contain_text("what it was")
    expect(panel.get_by_role("button", name="Edit")).to_have_count(0)
    board.page.keyboard.press("e")
    expect(panel.get_by_role("form")).to_have_count(0)
    panel.get_by_role("button", name="Restore").click()
    expect(panel.get_by_role("button", name="Edit")).to_be_visible()
    expect(panel).to_contain_text(f"“{title}” is on the board again.")
    expect(panel.get_by_role("heading", name=title)).to_be_focused()
    board.page.keyboard.press("Escape")
    expect(trash).to_be_visible()
    expect(board.row(title)).to_have_count(0)
    board.page.keyboard.press("Escape")
    expect(board.card(title)).to_be_visible()
    assert read(colleague, task)["title"] == title
