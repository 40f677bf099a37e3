"""Accessibility, phones, and large text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.board import PAST, Board
from tests.local_stack import Client, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_passes_axe(open_board: Callable[..., Board], colleague: Client, scheme: str) -> None:
    late, labels = unique("Late"), [f"{number} {'W' * 38}" for number in range(10)]
    task = colleague.create(late, due_at=PAST, assignee="me", labels=labels)["id"]
    board = open_board(color_scheme=scheme)
    seen: list[str] = []

    def look() -> None:
        results = Axe().run(board.page)
        seen.append(results.generate_report() if results.violations_count else "")

    look()
    board.sign_up()
    board.add(unique("Look"))
    title = unique("Look")
    board.add(title)
    expect(board.card(late)).to_contain_text("Overdue")
    look()
    board.mine.click()
    expect(board.card(late)).to_have_count(0)
    look()
    board.mine.click()
    expect(board.card(late)).to_be_visible()
    board.page.keyboard.press("?")
    look()
    board.page.keyboard.press("Escape")
    long = unique("W" * 150)
    board.discard(long)
    board.delete(title)
    # The title of the task in the trash is taken.
    await_condition(lambda: colleague("POST", "/tasks", json={"title": title}).status_code == 201)
    board.page.get_by_label("New task in Pending").press("Enter")
    board.act(late, "Open")
    expect(board.panel.get_by_text("created it")).to_be_visible()
    look()
    form = board.page.get_by_role("form", name=f"Edit {late}")
    board.page.keyboard.press("e")
    look()
    # Somebody else changes the same field. The user leaves the draft, and the board offers it again.
    form.get_by_label("Description").fill("mine")
    colleague("PATCH", f"/tasks/{task}", json={"description": "theirs"})
    board.save()
    expect(form.get_by_role("button", name="Keep mine")).to_be_focused()
    look()
    board.page.reload()
    expect(board.panel.get_by_role("button", name="Discard it")).to_be_visible()
    expect(board.panel.get_by_text("created it")).to_be_visible()
    look()
    board.panel.get_by_role("button", name="Discard it").click()
    board.page.keyboard.press("Escape")
    board.card(late).get_by_role("link", name=labels[0]).click()
    expect(board.page.get_by_role("button", name=f"Label: {labels[0]}")).to_be_visible()
    expect(board.page.get_by_role("main")).to_have_attribute("aria-busy", "false")
    look()
    board.page.get_by_role("button", name=f"Label: {labels[0]}").click()
    # Without a connection
    board.context.set_offline(True)
    board.act(late, "Move to In progress")
    board.page.get_by_label("New task in Pending").fill(unique("Unsent"))
    board.page.get_by_label("New task in Pending").press("Enter")
    expect(board.page.locator("#waiting")).to_have_text("Not sent yet: 2 changes.")
    look()
    board.context.set_offline(False)
    expect(board.page.locator("#waiting")).to_be_empty()
    # A link to a task that does not exist
    board.page.goto(board.page.url.split("#")[0] + "#/task/x")
    expect(board.page.get_by_role("dialog", name="There is no such task")).to_be_visible()
    look()
    board.page.keyboard.press("Escape")
    board.card(late).click(button="right")
    look()
    board.page.keyboard.press("Escape")
    trash = board.open_trash()
    board.row(title).get_by_role("button", name="Restore").click()
    expect(board.row(title).get_by_label("Another title")).to_be_focused()
    board.row(long).get_by_role("button", name="Delete for good").click()
    look()
    board.row(long).get_by_role("link", name=long).click()
    expect(board.panel).to_contain_text("In the trash")
    expect(board.panel.get_by_text("deleted it")).to_be_visible()
    look()
    board.page.keyboard.press("Escape")
    board.page.set_viewport_size({"width": 320, "height": 640})
    look()
    # Nothing is wider than a phone.
    assert trash.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    board.page.keyboard.press("Escape")
    look()
    board.act(late, "Open")
    look()
    assert board.panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    assert "".join(seen) == ""
    assert board.page.evaluate("document.documentElement.scrollWidth") <= 320


def test_it_works_under_a_stage(open_board: Callable[..., Board], staged: str) -> None:
    for url in (staged, f"{staged}/"):
        board = open_board(url).sign_up()
        title = unique("Stage")
        board.add(title)
        assert board.page.get_by_role("link", name="API").evaluate("link => link.href") == f"{staged}/docs"
        board.act(title, "Move to In progress")
        expect(board.column("In progress").get_by_text(title)).to_be_visible()


def test_a_phone_moves_tasks_without_dragging(open_board: Callable[..., Board]) -> None:
    board = open_board(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).sign_up()
    title = unique("Phone")
    board.add(title)
    board.page.get_by_label(f"Actions: {title}").tap()
    board.page.get_by_role("menuitem", name="Move to In progress").tap()
    expect(board.column("In progress").get_by_text(title)).to_be_visible()


def test_a_phone_shows_one_column_at_a_time(open_board: Callable[..., Board]) -> None:
    board = open_board(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).sign_up()
    tabs = board.page.get_by_role("navigation", name="Columns")
    expect(board.column("Pending")).to_be_in_viewport(ratio=0.9)
    expect(board.column("In progress")).not_to_be_in_viewport()
    tab = tabs.get_by_role("button", name="Completed")
    tab.tap()
    expect(board.column("Completed")).to_be_in_viewport(ratio=0.9)
    expect(board.column("Pending")).not_to_be_in_viewport()
    expect(tab).to_have_attribute("aria-current", "true")
    title = unique("Phone")
    board.add(title, "Completed")
    board.card(title).tap()
    box = board.page.get_by_role("dialog", name=title).bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 844}


@pytest.mark.parametrize("width", [320, 1280, 2560])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_nothing_is_wider_than_the_page_in_large_text(
    open_board: Callable[..., Board], colleague: Client, width: int, direction: str
) -> None:
    title = unique("W" * 100)
    colleague.create(title, labels=["W" * 40], due_at=PAST, assignee="me", description="W" * 500)
    board = open_board(viewport={"width": width, "height": 800}, forced_colors="active").sign_up()
    board.page.evaluate(
        "direction => { document.dir = direction; document.documentElement.style.fontSize = '200%'; }",
        direction,
    )
    board.open(title)
    for place in ("html", "#panel"):
        assert board.page.locator(place).evaluate("element => element.scrollWidth <= element.clientWidth")
    side = board.panel.bounding_box()
    assert side
    assert (side["x"] == 0) or direction == "ltr"
