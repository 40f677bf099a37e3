"""The menu of a card."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.board import Board
from tests.local_stack import Stack, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_the_menu_works_with_the_keyboard(board: Board) -> None:
    title = unique("Menu")
    board.add(title)
    actions = board.page.get_by_role("button", name=f"Actions: {title}", exact=True)
    items = board.page.get_by_role("menuitem")
    keyboard = board.page.keyboard
    actions.press("Enter")
    expect(board.page.get_by_role("menu", name=f"Actions: {title}")).to_be_visible()
    expect(items).to_have_text(
        ["Open", "Edit", "Move to In progress", "Move to Completed", "Copy link", "Delete"]
    )
    expect(items.nth(0)).to_be_focused()
    for key, place in (("ArrowUp", 5), ("ArrowDown", 0), ("ArrowDown", 1), ("End", 5), ("Home", 0)):
        keyboard.press(key)
        expect(items.nth(place)).to_be_focused()
    keyboard.press("Escape")
    expect(items).to_have_count(0)
    expect(board.card(title)).to_be_focused()
    actions.press("Enter")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(board.page.get_by_role("form", name=f"Edit {title}")).to_be_visible()


def test_a_right_click_opens_it_within_the_window(board: Board) -> None:
    title = unique("Context")
    board.add(title, "Completed")
    place = board.card(title).bounding_box()
    assert place
    board.card(title).click(button="right", position={"x": place["width"] - 3, "y": place["height"] - 3})
    menu = board.page.get_by_role("menu")
    expect(menu.get_by_role("menuitem", name="Move to Pending")).to_be_visible()
    box, size = menu.bounding_box(), board.page.viewport_size
    assert box
    assert size
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] >= place["y"]


def test_a_link_is_copied(board: Board, stack: Stack) -> None:
    board.context.grant_permissions(["clipboard-read", "clipboard-write"])
    title = unique("Link")
    task = board.create(title)
    board.act(title, "Copy link")
    expect(board.notices).to_contain_text("The link is copied.")
    copied = board.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{stack.url}/#/task/{task}"


def test_a_link_is_shown_if_it_cannot_be_copied(board: Board) -> None:
    board.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    title = unique("Link")
    task = board.create(title)
    board.act(title, "Copy link")
    expect(board.notices).to_contain_text(f"#/task/{task}")
