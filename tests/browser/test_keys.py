"""Keyboard shortcuts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.board import Board
from tests.local_stack import unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_a_held_key_acts_once(board: Board) -> None:
    titles = [unique("Held") for _ in range(3)]
    for title in titles:
        board.add(title)
    board.card(titles[1]).focus()
    for _ in range(5):
        board.page.keyboard.down("Delete")
    board.page.keyboard.up("Delete")
    expect(board.card(titles[1])).to_have_count(0)
    expect(board.undo).to_have_count(1)
    expect(board.card(titles[0])).to_be_focused()
    for _ in range(4):
        board.page.keyboard.down("Enter")
    expect(board.page.get_by_role("dialog", name=titles[0])).to_be_visible()


def test_the_browsers_own_keys_are_left_alone(board: Board) -> None:
    title, beside = unique("Keys"), unique("Beside")
    board.add(title, "In progress")
    board.add(beside)
    board.card(title).focus()
    for keys in ("Backspace", "Control+Backspace", "Alt+ArrowLeft", "Control+Delete", "Alt+Enter"):
        board.page.keyboard.press(keys)
        expect(board.card(title)).to_be_focused()
    expect(board.undo).to_have_count(0)


def test_letters_and_signs_work_as_listed(board: Board) -> None:
    title = unique("Keys")
    board.add(title)
    keyboard, page = board.page.keyboard, board.page
    board.card(title).focus()
    keyboard.press("/")
    expect(board.search).to_be_focused()
    keyboard.type("/?ne")
    expect(board.search).to_have_value("/?ne")
    board.search.fill("")
    board.card(title).focus()
    keyboard.press("n")
    expect(page.get_by_label("New task in Pending")).to_be_focused()
    board.card(title).focus()
    keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    keyboard.press("n")
    expect(keys).to_be_visible()
    keyboard.press("Escape")
    expect(board.card(title)).to_be_focused()
    keyboard.press("e")
    expect(page.get_by_role("form", name=f"Edit {title}").get_by_label("Title")).to_have_value(title)


def test_arrows_go_to_their_side_from_right_to_left_too(board: Board) -> None:
    title = unique("Mirror")
    board.add(title)
    board.page.evaluate("() => { document.dir = 'rtl'; }")
    board.card(title).press("Shift+ArrowLeft")
    expect(board.column("In progress").get_by_text(title)).to_be_visible()


@pytest.mark.parametrize(
    "key",
    [{"key": "у", "code": "KeyE"}, {"key": "E", "code": "KeyE"}],
    ids=["cyrillic", "caps lock"],
)
def test_shortcuts_work_in_other_alphabets(board: Board, key: dict[str, str]) -> None:
    title = unique("Alphabet")
    board.add(title)
    board.card(title).dispatch_event("keydown", key)
    expect(board.page.get_by_role("form", name=f"Edit {title}")).to_be_visible()


@pytest.mark.parametrize("composing", [{"isComposing": True}, {"keyCode": 229}])
def test_escape_while_composing_leaves_the_editor_open(board: Board, composing: dict[str, object]) -> None:
    title = unique("Compose")
    board.add(title)
    box = board.edit(title).get_by_label("Title")
    box.dispatch_event("keydown", {"key": "Escape", "code": "Escape", **composing})
    expect(box).to_be_focused()


@pytest.mark.parametrize("key", ["z", "Z", "я"])
def test_undo_works_with_caps_lock_and_other_alphabets(board: Board, key: str) -> None:
    title = unique("Undo")
    board.add(title)
    board.delete(title)
    board.page.locator("body").dispatch_event("keydown", {"key": key, "code": "KeyZ", "ctrlKey": True})
    expect(board.card(title)).to_be_focused()
