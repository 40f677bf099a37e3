"""What one user does with tasks: add, edit and move."""

from __future__ import annotations

import pytest
from playwright.sync_api import Request, Route, expect

from tests.browser.board import Board, find
from tests.local_stack import Client, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_a_task_is_added_edited_and_moved(board: Board, colleague: Client) -> None:
    title, other = unique("Add"), unique("Edited")
    board.add(title)
    form = board.edit(title)
    form.get_by_label("Title").fill(other)
    form.get_by_label("Description").fill("two\nlines")
    form.get_by_label("Description").press("Control+Enter")
    expect(board.panel).to_contain_text("two")
    board.page.keyboard.press("Escape")
    expect(board.card(other)).to_be_focused()
    board.act(other, "Move to In progress")
    expect(board.column("In progress").get_by_text(other)).to_be_visible()
    await_condition(lambda: (find(colleague, other) or {}).get("status") == "IN_PROGRESS")
    assert (find(colleague, other) or {})["description"] == "two\nlines"


def test_escape_discards_an_edit_after_a_confirmation(board: Board) -> None:
    title = unique("Escape")
    board.add(title)
    box = board.edit(title).get_by_label("Title")
    box.fill("nothing of this")
    asked = board.answer_dialogs(False)
    box.press("Escape")
    expect(box).to_have_value("nothing of this")
    board.page.get_by_role("button", name="Cancel").click()
    expect(box).to_have_value("nothing of this")
    board.page.get_by_role("button", name="Close").click()
    expect(box).to_have_value("nothing of this")
    board.answer_dialogs(True)
    box.press("Escape")
    expect(box).to_have_count(0)
    board.page.keyboard.press("Escape")
    expect(board.card(title)).to_be_focused()
    assert asked == ["Discard what you typed?"] * 3
    board.edit(title)
    board.page.keyboard.press("Escape")
    board.page.keyboard.press("Escape")
    expect(board.card(title)).to_be_focused()


@pytest.mark.parametrize("is_new", [True, False])
def test_leaving_a_draft_asks_for_a_confirmation(board: Board, is_new: bool) -> None:
    title = unique("Leave")
    board.add(title)
    # The browser stores nothing.
    board.page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('quota'); }; }")
    box = (
        board.page.get_by_label("New task in Completed")
        if is_new
        else board.edit(title).get_by_label("Description")
    )
    box.press_sequentially("half a sentence")
    asked = board.answer_dialogs(False)
    board.page.evaluate("() => { location.reload(); }")
    await_condition(lambda: board.page.wait_for_timeout(50) is None and len(asked) == 1)
    expect(box).to_have_value("half a sentence")
    board.page.get_by_role("button", name="Sign out").click()
    expect(box).to_have_value("half a sentence")
    assert asked == ["", "Sign out, and discard what you typed?"]
    # Another tab signs out.
    other = board.context.new_page()
    other.goto(board.page.url)
    other.get_by_role("button", name="Sign out").click()
    expect(board.page.get_by_role("dialog", name="Sign in")).to_be_visible()
    expect(box).to_have_value("half a sentence")


def test_the_board_can_be_used_by_keys_alone(board: Board, colleague: Client) -> None:
    one, two = unique("First"), unique("Second")
    board.add(one)
    board.add(two)
    board.card(two).focus()
    keyboard = board.page.keyboard
    keyboard.press("ArrowDown")
    expect(board.card(one)).to_be_focused()
    keyboard.press("ArrowUp")
    expect(board.card(two)).to_be_focused()
    keyboard.press("Shift+ArrowRight")
    expect(board.column("In progress").get_by_text(two)).to_be_visible()
    expect(board.card(two)).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("e")
    keyboard.type("By keys: " + two)
    keyboard.press("Enter")
    expect(board.panel.get_by_role("heading", name="By keys: " + two)).to_be_focused()
    keyboard.press("Escape")
    expect(board.card("By keys: " + two)).to_be_focused()
    keyboard.press("ArrowLeft")
    expect(board.column("Pending").locator("article:focus")).to_have_count(1)
    board.card("By keys: " + two).focus()
    keyboard.press("Delete")
    expect(board.card("By keys: " + two)).to_have_count(0)
    keyboard.press("Control+z")
    expect(board.card("By keys: " + two)).to_be_focused()


def test_the_last_of_several_moves_wins(board: Board, colleague: Client) -> None:
    title = unique("Quick")
    board.add(title)
    first: list[Request] = []

    def delay_the_first(route: Route) -> None:
        if route.request.method == "PATCH":
            first.append(route.request)
        if len(first) == 1:
            board.page.wait_for_timeout(300)
        route.continue_()

    board.page.route("**/tasks/*", delay_the_first)
    board.card(title).focus()
    board.page.keyboard.press("Shift+ArrowRight")
    board.page.keyboard.press("Shift+ArrowRight")
    expect(board.column("Completed").get_by_text(title)).to_be_visible()
    await_condition(lambda: board.page.wait_for_timeout(50) is None and len(first) == 2)
    await_condition(lambda: (find(colleague, title) or {}).get("status") == "COMPLETED")


def test_a_card_is_dragged_to_another_column(board: Board, colleague: Client) -> None:
    title = unique("Drag")
    board.add(title)
    board.card(title).drag_to(board.column("Completed"))
    expect(board.column("Completed").get_by_text(title)).to_be_visible()
    await_condition(lambda: (find(colleague, title) or {}).get("status") == "COMPLETED")


def test_text_is_dropped_into_fields_and_files_nowhere(board: Board) -> None:
    box = board.page.get_by_label("New task in Pending")
    place = box.bounding_box()
    assert place
    session = board.context.new_cdp_session(board.page)
    data = {"items": [{"mimeType": "text/plain", "data": "dropped"}], "dragOperationsMask": 1}
    for type_ in ("dragEnter", "dragOver", "drop"):
        at = {"x": place["x"] + 20, "y": place["y"] + 10}
        session.send("Input.dispatchDragEvent", {"type": type_, "data": data, **at})
    expect(box).to_have_value("dropped")
    for target in (board.column("Pending"), board.page.locator("body"), box):
        is_open = target.evaluate(
            """element => {
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File(["x"], "x.txt"));
              const init = {dataTransfer, bubbles: true, cancelable: true};
              return ["dragover", "drop"].some(type => element.dispatchEvent(new DragEvent(type, init)));
            }"""
        )
        assert not is_open, "the browser would open the file"


def test_a_title_is_never_html(board: Board) -> None:
    title = unique("<img src=x onerror=alert(1)><b>")
    board.add(title)
    assert board.card(title).locator("img, b").count() == 0
