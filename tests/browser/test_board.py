"""The board in Chromium: what one user does, what another sees, and what happens in trouble."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, Request, Route, expect

from tests.local_stack import Client, Stack, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium
PASSWORD = "correct horse"
WHEN_OTHERS_WRITE = 30_000  # milliseconds: some refreshes, on a machine that has other work
TICK = 4_000  # milliseconds between two refreshes
PAGE = 100  # tasks of a page of the list
PAST, FUTURE = 1_767_225_600, 4_102_444_800  # the first seconds of 2026 and 2100


class Board:
    """The board as one user sees it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.answer: Callable[[Dialog], None] | None = None
        self.page.goto(url)

    def sign_up(self) -> Board:
        self.name = unique("board").replace(" ", "-")
        self.fill_in(self.name)
        self.page.get_by_role("button", name="Sign up").click()
        expect(self.page.get_by_role("dialog", name="Sign in")).to_be_hidden()
        return self

    def fill_in(self, name: str, password: str = PASSWORD) -> None:
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)

    def change_session(self, **changes: str) -> None:
        """Change what the page has stored of its session."""
        self.page.evaluate(
            "new_ => localStorage.session = JSON.stringify({...JSON.parse(localStorage.session), ...new_})",
            changes,
        )

    def column(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=name, exact=True)

    def card(self, title: str) -> Locator:
        return self.page.get_by_role("article").filter(has=self.page.get_by_text(title, exact=True))

    def add(self, title: str, column: str = "Pending") -> Locator:
        box = self.page.get_by_label(f"New task in {column}")
        box.fill(title)
        box.press("Enter")
        card = self.card(title)
        expect(card).to_be_visible()
        expect(box).to_have_value("")
        return card

    def create(self, title: str) -> str:
        """Add a task; returns its id."""
        with self.page.expect_response("**/tasks") as created:
            self.add(title)
        return str(created.value.json()["id"])

    def act(self, title: str, action: str) -> None:
        """Choose from the menu of a card."""
        self.card(title).hover()
        self.page.get_by_role("button", name=f"Actions: {title}", exact=True).click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()

    def open(self, title: str) -> Locator:
        """Open a task in the panel."""
        self.card(title).get_by_role("link", name=title, exact=True).click()
        panel = self.page.get_by_role("dialog", name=title, exact=True)
        expect(panel).to_be_visible()
        return panel

    def edit(self, title: str) -> Locator:
        self.open(title).get_by_role("button", name="Edit", exact=True).click()
        return self.page.get_by_role("form", name=f"Edit {title}", exact=True)

    def save(self) -> None:
        self.page.get_by_role("button", name="Save").click()

    def save_and_close(self) -> None:
        """Save what is edited, and close the panel once that is done."""
        self.save()
        expect(self.page.get_by_role("form", name=re.compile("^Edit "))).to_have_count(0)
        self.page.keyboard.press("Escape")
        expect(self.panel).to_be_hidden()

    def delete(self, title: str) -> None:
        self.act(title, "Delete")
        expect(self.card(title)).to_have_count(0)

    def discard(self, title: str) -> str:
        """Add a task and delete it, and wait until that is done; returns its id."""
        task = self.create(title)
        with self.page.expect_response(lambda response: response.request.method == "DELETE"):
            self.delete(title)
        return task

    def open_trash(self) -> Locator:
        """Open the trash, and wait until it is loaded."""
        with self.page.expect_response("**/trash?**"):
            self.page.get_by_role("button", name="Trash", exact=True).click()
        return self.page.get_by_role("dialog", name="Trash")

    def row(self, title: str) -> Locator:
        """A task in the trash."""
        return (
            self.page.get_by_role("dialog", name="Trash")
            .locator("li")
            .filter(has=self.page.get_by_text(title, exact=True))
        )

    def open_history(self, title: str) -> Locator:
        """Open a task on the board; returns its history."""
        return self.open(title).get_by_role("region", name="History")

    @property
    def panel(self) -> Locator:
        return self.page.locator("#panel")

    def hide(self, is_hidden: bool = True) -> None:
        """Show another tab in place of this one, or this one again."""
        self.page.evaluate(
            """isHidden => {
              Object.defineProperty(document, 'hidden', {value: isHidden, configurable: true});
              document.dispatchEvent(new Event('visibilitychange'));
            }""",
            is_hidden,
        )

    def requests(self) -> list[Request]:
        """The requests that the page sends from now on, as they come."""
        sent: list[Request] = []
        self.page.on("request", lambda request: sent.append(request))
        return sent

    def refresh(self) -> None:
        """Refresh now, and wait until that is done."""
        with self.page.expect_response("**/tasks?**"):
            self.page.evaluate("dispatchEvent(new Event('online'))")

    def answer_dialogs(self, is_yes: bool) -> list[str]:
        """Answer what the browser asks from now on; returns the questions as they come."""
        asked: list[str] = []

        def answer(dialog: Dialog) -> None:
            asked.append(dialog.message)
            if is_yes:
                dialog.accept()
            else:
                dialog.dismiss()

        if self.answer:
            self.page.remove_listener("dialog", self.answer)
        self.answer = answer
        self.page.on("dialog", answer)
        return asked

    @contextmanager
    def paused(self, method: str, path: str) -> Iterator[list[Route]]:
        """Let requests wait until the end of the block, by when the first must have been sent."""
        held: list[Route] = []
        is_over = False

        def hold(route: Route) -> None:
            if route.request.method != method or is_over:
                route.fallback()
            else:
                held.append(route)

        self.page.route(f"**{path}", hold)
        yield held
        await_condition(lambda: self.page.wait_for_timeout(50) is None and bool(held))
        is_over = True
        for route in held:
            route.fallback()
        self.page.unroute(f"**{path}", hold)

    def lose_first_response(self, method: str, path: str) -> list[Request]:
        """Lose the first response to such a request, which is served; returns the requests as they come."""
        tries: list[Request] = []

        def lose(route: Route) -> None:
            if route.request.method != method:
                route.fallback()
                return
            tries.append(route.request)
            response = route.fetch()
            if len(tries) == 1:
                route.abort()
            else:
                route.fulfill(response=response)

        self.page.route(f"**{path}", lose)
        return tries

    @property
    def undo(self) -> Locator:
        return self.page.get_by_role("button", name="Undo", exact=True)

    @property
    def search(self) -> Locator:
        return self.page.get_by_label("Search")

    @property
    def mine(self) -> Locator:
        return self.page.get_by_role("button", name="Mine", exact=True)

    @property
    def notices(self) -> Locator:
        return self.page.get_by_role("region", name="Notices")

    @property
    def message(self) -> Locator:
        return self.page.get_by_role("alert").filter(has_text=re.compile("."))


@pytest.fixture
def open_board(browser: Browser, stack: Stack) -> Iterator[Callable[..., Board]]:
    """Open the board in a browser of its own; what the page reports as an error fails the test."""
    boards: list[Board] = []

    def open_board(url: str = stack.url, **options: object) -> Board:
        boards.append(Board(browser.new_context(**options), url))  # type: ignore[arg-type]
        return boards[-1]

    yield open_board
    for board in boards:
        board.context.close()
        # Chromium tells of each failed request; what the page makes of it is tested.
        assert [error for error in board.errors if "Failed to load resource" not in error] == []


@pytest.fixture
def board(colleague: Client, open_board: Callable[..., Board]) -> Board:
    return open_board().sign_up()


@pytest.fixture
def colleague(user: Client) -> Client:
    """Another user, who uses the API, and has deleted what other tests left: cards may hide each other."""
    while tasks := user("GET", "/tasks?limit=100").json():
        for task in tasks:
            user("DELETE", f"/tasks/{task['id']}")
    return user


def read(client: Client, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = client("GET", f"/tasks/{task_id}").json()
    return task


def create_many(client: Client, count: int, **fields: Any) -> list[str]:
    """Create tasks; returns their titles."""
    titles = [unique("Many") for _ in range(count)]
    for title in titles:
        client.create(title, **fields)
    return titles


def scroll_to_the_end(board: Board, titles: list[str]) -> Locator:
    """Load all pages of completed tasks, show the oldest task, and stop the timer of refreshes."""
    column = board.column("Completed")
    board.refresh()
    for count in ("200+", "201"):
        column.get_by_role("button", name="Load more").click()
        expect(column.locator(".count")).to_have_text(count)
    column.get_by_role("heading", name=titles[0]).scroll_into_view_if_needed()
    board.page.clock.install()
    board.page.clock.pause_at(time.time() + 60)
    return column


def find_all(client: Client, query: str) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = client("GET", f"/tasks?{query}").json()
    return tasks


def find(client: Client, title: str) -> dict[str, object] | None:
    """Find a task in the list."""
    tasks = client("GET", "/tasks?limit=100").json()
    return next((task for task in tasks if task["title"] == title), None)


def await_trashed(client: Client, *titles: str) -> list[dict[str, Any]]:
    """Wait until the trash lists tasks; returns its first page."""
    trash: list[dict[str, Any]] = []

    def is_listed() -> bool:
        trash[:] = client("GET", "/trash?limit=100").json()
        return {task["title"] for task in trash} >= set(titles)

    await_condition(is_listed)
    return trash


class TestWork:
    def test_a_task_is_added_edited_and_moved(self, board: Board, colleague: Client) -> None:
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

    def test_escape_discards_an_edit_after_a_confirmation(self, board: Board) -> None:
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
    def test_leaving_a_draft_asks_for_a_confirmation(self, board: Board, is_new: bool) -> None:
        title = unique("Leave")
        board.add(title)
        # Nothing can be kept.
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

    def test_the_board_can_be_used_by_keys_alone(self, board: Board, colleague: Client) -> None:
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

    def test_the_last_of_several_moves_wins(self, board: Board, colleague: Client) -> None:
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

    def test_a_card_is_dragged_to_another_column(self, board: Board, colleague: Client) -> None:
        title = unique("Drag")
        board.add(title)
        board.card(title).drag_to(board.column("Completed"))
        expect(board.column("Completed").get_by_text(title)).to_be_visible()
        await_condition(lambda: (find(colleague, title) or {}).get("status") == "COMPLETED")

    def test_text_is_dropped_into_fields_and_files_nowhere(self, board: Board) -> None:
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

    def test_more_is_loaded_page_by_page(self, board: Board, colleague: Client) -> None:
        titles = create_many(colleague, PAGE + 30, status="COMPLETED")
        column, old = board.column("Completed"), board.add(unique("Pending"))
        board.refresh()
        expect(column.locator(".count")).to_have_text("100+")
        expect(board.column("Pending").locator(".count")).to_have_text("1")
        expect(board.column("Pending").get_by_role("button", name="Load more")).to_be_hidden()
        board.refresh()
        board.hide()
        sent = board.requests()
        column.get_by_role("button", name="Load more").click()
        expect(column.locator(".count")).to_have_text("130")
        assert len(sent) == 1
        board.hide(False)
        shown = column.get_by_role("heading", level=3).all_text_contents()
        assert shown == titles[::-1]
        # What others do with the oldest is seen as its page is looked at, in turn.
        oldest = find_all(colleague, "q=" + titles[0])[0]
        colleague("PATCH", f"/tasks/{oldest['id']}", json={"status": "PENDING"})
        create_many(colleague, 1, status="COMPLETED")
        for _ in range(7):
            board.refresh()
        expect(board.column("Pending").get_by_role("article")).to_have_count(2)
        expect(column.get_by_role("article")).to_have_count(130)
        expect(old).to_be_visible()

    def test_what_is_in_view_is_up_to_date_after_each_refresh(self, board: Board, colleague: Client) -> None:
        titles = create_many(colleague, 2 * PAGE + 1, status="COMPLETED")
        column = scroll_to_the_end(board, titles)
        oldest = find_all(colleague, "q=" + titles[0])[0]["id"]
        for title in (unique("Seen"), unique("Seen")):
            colleague("PATCH", f"/tasks/{oldest}", json={"title": title})
            board.refresh()
            expect(column.get_by_role("heading", name=title)).to_be_visible()

    def test_a_column_can_shrink_by_pages_while_its_end_is_in_view(
        self, board: Board, colleague: Client
    ) -> None:
        titles = create_many(colleague, 2 * PAGE + 1, status="COMPLETED")
        create_many(colleague, 60)
        scroll_to_the_end(board, titles)
        while tasks := find_all(colleague, "status=COMPLETED&skip=51&limit=100"):
            for task in tasks:
                colleague("DELETE", f"/tasks/{task['id']}")
        sent = board.requests()
        board.refresh()
        # The head, the second page, which is the last now, and one of the others in turn.
        status = board.page.locator("#status")
        await_condition(lambda: bool(status.text_content()) or len(sent) >= 3)
        expect(status).to_be_empty(timeout=1)

    def test_a_task_moved_below_the_loaded_ones_stays_visible(self, board: Board, colleague: Client) -> None:
        title = unique("Old")
        board.add(title)
        create_many(colleague, PAGE + 1, status="COMPLETED")
        board.refresh()
        expect(board.column("Completed").locator(".count")).to_have_text("100+")
        form = board.edit(title)
        form.get_by_label("Status").select_option("Completed")
        board.save()
        moved = board.column("Completed").get_by_text(title)
        expect(moved).to_be_visible()
        board.page.clock.install(time=time.time() + 60)  # when the board takes the list's word for it
        for _ in range(5):
            board.refresh()
        later = unique("Later")
        colleague.create(later, status="COMPLETED")
        board.refresh()
        expect(board.card(later)).to_be_visible()
        expect(moved).to_be_visible()

    def test_a_title_is_never_html(self, board: Board) -> None:
        title = unique("<img src=x onerror=alert(1)><b>")
        board.add(title)
        assert board.card(title).locator("img, b").count() == 0


class TestKeys:
    def test_a_held_key_acts_once(self, board: Board) -> None:
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

    def test_the_browsers_own_keys_are_left_alone(self, board: Board) -> None:
        title, beside = unique("Keys"), unique("Beside")
        board.add(title, "In progress")
        board.add(beside)
        board.card(title).focus()
        for keys in ("Backspace", "Control+Backspace", "Alt+ArrowLeft", "Control+Delete", "Alt+Enter"):
            board.page.keyboard.press(keys)
            expect(board.card(title)).to_be_focused()
        expect(board.undo).to_have_count(0)

    def test_letters_and_signs_work_as_listed(self, board: Board) -> None:
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

    def test_arrows_go_to_their_side_from_right_to_left_too(self, board: Board) -> None:
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
    def test_they_work_in_other_alphabets(self, board: Board, key: dict[str, str]) -> None:
        title = unique("Alphabet")
        board.add(title)
        board.card(title).dispatch_event("keydown", key)
        expect(board.page.get_by_role("form", name=f"Edit {title}")).to_be_visible()

    @pytest.mark.parametrize("composing", [{"isComposing": True}, {"keyCode": 229}])
    def test_escape_while_composing_leaves_the_editor_open(
        self, board: Board, composing: dict[str, object]
    ) -> None:
        title = unique("Compose")
        board.add(title)
        box = board.edit(title).get_by_label("Title")
        box.dispatch_event("keydown", {"key": "Escape", "code": "Escape", **composing})
        expect(box).to_be_focused()

    @pytest.mark.parametrize("key", ["z", "Z", "я"])
    def test_undo_works_with_caps_lock_and_other_alphabets(self, board: Board, key: str) -> None:
        title = unique("Undo")
        board.add(title)
        board.delete(title)
        board.page.locator("body").dispatch_event("keydown", {"key": key, "code": "KeyZ", "ctrlKey": True})
        expect(board.card(title)).to_be_focused()


class TestMenu:
    def test_it_works_with_the_keyboard(self, board: Board) -> None:
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

    def test_a_right_click_opens_it_within_the_window(self, board: Board) -> None:
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

    def test_a_link_is_copied(self, board: Board, stack: Stack) -> None:
        board.context.grant_permissions(["clipboard-read", "clipboard-write"])
        title = unique("Link")
        task = board.create(title)
        board.act(title, "Copy link")
        expect(board.notices).to_contain_text("The link is copied.")
        copied = board.page.evaluate("navigator.clipboard.readText()")
        assert copied == f"{stack.url}/#/task/{task}"

    def test_a_link_is_shown_if_it_cannot_be_copied(self, board: Board) -> None:
        board.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        title = unique("Link")
        task = board.create(title)
        board.act(title, "Copy link")
        expect(board.notices).to_contain_text(f"#/task/{task}")


class TestPanel:
    def test_a_task_is_read_first(self, board: Board, colleague: Client) -> None:
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

    def test_empty_fields_are_not_shown(self, board: Board) -> None:
        title = unique("Bare")
        board.add(title)
        panel = board.open(title)
        for name in ("Labels", "Assignee", "Due"):
            expect(panel.get_by_text(name, exact=True)).to_be_hidden()

    def test_it_shows_changes_of_others(self, board: Board, colleague: Client) -> None:
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

    def test_another_task_replaces_it(self, board: Board) -> None:
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

    def test_a_task_is_deleted_from_it(self, board: Board, colleague: Client) -> None:
        title = unique("Delete")
        task = board.create(title)
        panel = board.open(title)
        with board.page.expect_response(lambda response: response.request.method == "DELETE"):
            panel.get_by_role("button", name="Delete").click()
        expect(board.panel).to_be_hidden()
        expect(board.undo).to_be_visible()
        assert colleague("GET", f"/tasks/{task}").status_code == 404

    def test_a_task_in_the_trash_is_read_and_restored(self, board: Board, colleague: Client) -> None:
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


class TestMarkdown:
    def show(self, board: Board, colleague: Client, text: str) -> Locator:
        """Show a text in the panel."""
        title = unique("Text")
        task = colleague.create(title, description=text)["id"]
        board.page.goto(f"{board.page.url.split('#')[0]}#/task/{task}")
        expect(board.page.get_by_role("dialog", name=title)).to_be_visible()
        return board.panel.locator(".text")

    def test_markdown_is_rendered(self, board: Board, colleague: Client) -> None:
        text = (
            "A **bold *and italic*** word,\r\n`**code**`.\n\nNext\n- one\n- *two*\n\n3. three\n4) four\nlast"
        )
        shown = self.show(board, colleague, text)
        html = shown.evaluate("element => element.innerHTML")
        assert html == (
            "<p>A <strong>bold <em>and italic</em></strong> word,\n<code>**code**</code>.</p><p>Next</p>"
            '<ul><li>one</li><li><em>two</em></li></ul><ol start="3"><li>three</li><li>four</li></ol>'
            "<p>last</p>"
        )

    def test_links_are_links(self, board: Board, colleague: Client) -> None:
        text = "(see https://a.example/b?c=(d).) [docs](/docs) [a task](#/task/x) http://b.example, [x](HTTPS://c.example)"
        links = self.show(board, colleague, text).get_by_role("link")
        expect(links).to_have_text(["https://a.example/b?c=(d", "docs", "a task", "http://b.example", "x"])
        hrefs = links.evaluate_all("links => links.map(link => [link.getAttribute('href'), link.rel])")
        assert [href for href, _ in hrefs] == [
            "https://a.example/b?c=(d",
            "/docs",
            "#/task/x",
            "http://b.example",
            "HTTPS://c.example",
        ]
        assert {rel for _, rel in hrefs} == {"noopener noreferrer"}

    @pytest.mark.parametrize(
        "text",
        [
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](data:text/html,x)",
            "**not * closed",
            "2 * 3 * 4",
            "snake_case_name and a\\b",
            "[x] (y)",
        ],
    )
    def test_other_markup_stays_text(self, board: Board, colleague: Client, text: str) -> None:
        shown = self.show(board, colleague, text)
        expect(shown).to_have_text(text)
        assert shown.locator("p *").count() == 0


class TestAddresses:
    def test_a_link_opens_its_task_also_after_signing_in(
        self, open_board: Callable[..., Board], colleague: Client, stack: Stack
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

    def test_a_link_opens_a_task_in_the_trash(self, board: Board, colleague: Client, stack: Stack) -> None:
        title = unique("Trashed")
        task = colleague.create(title)["id"]
        colleague("DELETE", f"/tasks/{task}")
        await_trashed(colleague, title)
        board.page.goto(f"{stack.url}/#/task/{task}")
        expect(board.page.get_by_role("dialog", name=title)).to_contain_text("In the trash")

    @pytest.mark.parametrize("task", ["7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10", "x"])
    def test_a_link_of_no_task_says_so(self, board: Board, stack: Stack, task: str) -> None:
        board.page.goto(f"{stack.url}/#/task/{task}")
        expect(board.page.get_by_role("dialog", name="There is no such task")).to_be_visible()
        expect(board.panel.get_by_role("button", name="Edit")).to_have_count(0)
        board.page.keyboard.press("Escape")
        expect(board.panel).to_be_hidden()

    def test_a_link_is_not_looked_for_in_all_of_a_long_trash(
        self, board: Board, colleague: Client, stack: Stack
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

    def test_a_failed_read_of_a_task_can_be_retried(
        self, board: Board, colleague: Client, stack: Stack
    ) -> None:
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

    def test_back_and_forward_work(self, board: Board) -> None:
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

    def test_going_back_from_a_draft_asks_for_a_confirmation(self, board: Board) -> None:
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
        self, board: Board, open_board: Callable[..., Board], colleague: Client
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

    def test_tasks_can_be_sorted_by_due_date(self, board: Board, colleague: Client) -> None:
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


class TestTexts:
    def test_an_emoji_counts_as_one_character(self, board: Board, colleague: Client) -> None:
        title = "\U0001f600" * 150
        board.page.get_by_label("New task in Pending").focus()
        board.page.keyboard.insert_text(title)
        board.page.keyboard.press("Enter")
        expect(board.card(title)).to_be_visible()
        board.edit(title).get_by_label("Title").press("End")
        board.page.keyboard.insert_text("!")
        board.page.keyboard.press("Enter")
        expect(board.card(f"{title}!")).to_be_visible()

    def test_a_text_that_is_too_long_is_reported_and_not_cut(self, board: Board) -> None:
        title = "x" * 201
        box = board.page.get_by_label("New task in Pending")
        box.focus()
        board.page.keyboard.insert_text(title)
        board.page.keyboard.press("Enter")
        expect(board.message).to_contain_text("at most 200 characters")
        expect(box).to_have_value(title)

    def test_a_password_is_not_cut(self, open_board: Callable[..., Board]) -> None:
        password = "\U0001f600" * 70
        board = open_board()
        board.page.get_by_label("Username").fill(unique("emoji").replace(" ", "-"))
        board.page.get_by_label("Password").focus()
        board.page.keyboard.insert_text(password)
        expect(board.page.get_by_label("Password")).to_have_value(password)
        board.page.get_by_role("button", name="Sign up").click()
        expect(board.page.get_by_role("dialog")).to_be_hidden()


class TestPlanning:
    def test_overdue_tasks_say_so_in_words(self, board: Board, colleague: Client) -> None:
        late, done, ahead, free = unique("Late"), unique("Done"), unique("Ahead"), unique("Free")
        colleague.create(late, due_at=PAST)
        colleague.create(done, due_at=PAST, status="COMPLETED")
        colleague.create(ahead, due_at=FUTURE)
        colleague.create(free)
        board.refresh()
        expect(board.card(late)).to_contain_text("Overdue: Jan 1, 2026")
        expect(board.card(done)).to_contain_text("Due Jan 1, 2026")
        expect(board.card(ahead)).to_contain_text("Due Jan 1, 2100")
        expect(board.card(free).locator(".plan")).to_be_hidden()

    def test_a_task_becomes_overdue_while_nothing_else_happens(self, board: Board, colleague: Client) -> None:
        title = unique("Soon")
        colleague.create(title, due_at=int(time.time()) + 600)
        due = board.card(title).locator(".due")
        board.refresh()
        expect(due).to_have_text(re.compile("^Due "))
        board.page.clock.install(time=time.time() + 600)
        board.refresh()
        expect(due).to_have_text(re.compile("^Overdue: "))

    def test_dates_are_in_the_readers_language(
        self, open_board: Callable[..., Board], colleague: Client
    ) -> None:
        title = unique("Language")
        colleague.create(title, due_at=PAST)
        board = open_board(locale="de-DE", timezone_id="America/New_York").sign_up()
        expect(board.card(title)).to_contain_text("31.12.2025")

    @pytest.mark.parametrize(
        ("zone", "day"),
        [
            ("America/New_York", date(2030, 7, 4)),
            ("Pacific/Auckland", date(2030, 7, 4)),
            # The second began at one o'clock.
            ("America/Sao_Paulo", date(2018, 11, 3)),
            ("America/Sao_Paulo", date(2018, 11, 4)),
        ],
    )
    def test_a_picked_day_ends_where_the_user_is(
        self, open_board: Callable[..., Board], colleague: Client, zone: str, day: date
    ) -> None:
        board, title = open_board(timezone_id=zone).sign_up(), unique("Day")
        task = board.create(title)
        board.edit(title).get_by_label("Due date").fill(day.isoformat())
        board.save()
        expect(board.card(title)).to_contain_text(f"{day:%b} {day.day}, {day.year}")
        expect(board.panel).to_contain_text(f"{day:%b} {day.day}, {day.year}")
        end = datetime.combine(day, datetime.max.time(), ZoneInfo(zone))
        assert read(colleague, task)["due_at"] == int(end.timestamp())
        expect(board.edit(title).get_by_label("Due date")).to_have_value(day.isoformat())
        board.page.get_by_label("Due date").fill("")
        board.save()
        expect(board.card(title).locator(".plan")).to_be_hidden()
        assert read(colleague, task)["due_at"] is None

    def test_unchanged_fields_are_not_sent(self, board: Board, colleague: Client) -> None:
        title = unique("Planned")
        plan = {"due_at": PAST + 12_345, "assignee": "me", "labels": ["Home, garden", "b"]}
        task = colleague.create(title, **plan)["id"]
        board.refresh()
        expect(board.card(title)).to_be_visible()
        form = board.edit(title)
        form.get_by_label("Description").fill("new")
        form.get_by_label("Due date").fill("2030-01-01")
        form.get_by_label("Due date").fill("2026-01-01")
        with board.page.expect_request(lambda request: request.method == "PATCH") as sent:
            board.save()
        assert sent.value.post_data_json == {"description": "new"}
        expect(board.panel).to_contain_text("new")
        # A label that has a comma stays one, also where another is added.
        board.edit(title).get_by_label("Labels").fill("Home, garden, b, c")
        with board.page.expect_request(lambda request: request.method == "PATCH") as sent:
            board.save()
        assert sent.value.post_data_json == {"labels": ["Home, garden", "b", "c"]}
        expect(board.card(title).get_by_role("listitem")).to_have_text(["Home, garden", "b", "c"])
        assert read(colleague, task)["due_at"] == plan["due_at"]

    @pytest.mark.parametrize("description", ["one\r\ntwo", ""])
    def test_an_untouched_description_keeps_its_bytes(
        self, board: Board, colleague: Client, description: str
    ) -> None:
        title = unique("Lines")
        task = colleague.create(title, description=description)["id"]
        board.refresh()
        expect(board.card(title)).to_be_visible()
        board.edit(title).get_by_label("Labels").fill("new")
        with board.page.expect_request(lambda request: request.method == "PATCH") as sent:
            board.save()
        assert sent.value.post_data_json == {"labels": ["new"]}
        expect(board.card(title).get_by_role("listitem")).to_have_text(["new"])
        assert read(colleague, task)["description"] == description

    def test_an_assignee_and_labels_are_set_and_cleared(self, board: Board, colleague: Client) -> None:
        title, name = unique("Plan"), colleague("GET", "/auth/me").json()["username"]
        task = board.create(title)
        form = board.edit(title)
        form.get_by_label("Assignee").press_sequentially(name[:-1].upper())
        expect(form.locator("datalist option").filter(has_text=re.compile(f"^{name}$"))).to_have_count(1)
        form.get_by_label("Assignee").fill(name)
        form.get_by_label("Labels").fill(" home , , Küche,")
        board.save()
        card = board.card(title)
        expect(card.get_by_role("listitem")).to_have_text(["home", "Küche"])
        expect(card.get_by_text(f"Assignee: {name}", exact=True)).to_be_attached()
        expect(card.get_by_title(name)).to_contain_text("US")
        stored = read(colleague, task)
        assert (stored["assignee"], stored["labels"]) == (name, ["home", "Küche"])
        expect(board.edit(title).get_by_label("Labels")).to_have_value("home, Küche")
        form.get_by_label("Assignee").fill("Me")
        form.get_by_label("Labels").fill("")
        board.save()
        expect(card.get_by_title(board.name)).to_contain_text(f"B{board.name[6]}")
        stored = read(colleague, task)
        assert (stored["assignee"], stored["labels"]) == (board.name, [])
        board.edit(title).get_by_label("Assignee").fill("")
        board.save()
        expect(card.locator(".plan")).to_be_hidden()
        assert read(colleague, task)["assignee"] is None

    def test_an_unknown_assignee_is_refused_and_nothing_is_lost(self, board: Board) -> None:
        title = unique("Unknown")
        board.add(title)
        form = board.edit(title)
        form.get_by_label("Assignee").fill("nobody-here")
        form.get_by_label("Labels").fill("kept")
        form.get_by_label("Due date").fill("2030-01-01")
        board.save()
        expect(board.message).to_contain_text("assignee: ")
        expect(form.get_by_label("Assignee")).to_have_value("nobody-here")
        form.get_by_label("Assignee").fill("me")
        board.save()
        expect(board.card(title)).to_contain_text("Due Jan 1, 2030")
        expect(board.card(title).get_by_role("listitem")).to_have_text(["kept"])
        expect(board.card(title).get_by_title(board.name)).to_be_visible()

    def test_changes_of_others_are_described_in_words(self, board: Board, colleague: Client) -> None:
        title = unique("Conflict")
        task = colleague.create(title, assignee="me", labels=["old"])["id"]
        board.refresh()
        expect(board.card(title)).to_be_visible()
        board.edit(title).get_by_label("Labels").fill("mine")
        theirs = {"due_at": PAST, "assignee": None, "labels": ["a", "b"]}
        colleague("PATCH", f"/tasks/{task}", json=theirs)
        board.save()
        due = "the due date “Thursday, January 1, 2026 at 12:00.AM”"
        expect(board.message).to_contain_text(re.compile(f"has now {due}, no assignee, the labels “a, b”"))
        board.page.get_by_role("button", name="Keep mine").click()
        expect(board.card(title).get_by_role("listitem")).to_have_text(["mine"])
        assert read(colleague, task)["due_at"] == PAST


class TestSearch:
    def test_a_search_finds_tasks_that_are_not_loaded(self, board: Board, colleague: Client) -> None:
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

    def test_a_decomposed_search_finds_composed_titles(self, board: Board) -> None:
        title = unique("한글 é")
        board.add(title)
        board.search.fill("zzznothing")
        expect(board.page.get_by_text("Tasks found: 0.", exact=True)).to_be_attached()
        with board.page.expect_request("**/tasks?**q=**") as sent:
            board.search.fill(unicodedata.normalize("NFD", title))
        assert parse_qs(urlsplit(sent.value.url).query)["q"] == [title]
        expect(board.card(title)).to_be_visible()

    def test_a_search_is_sent_once_the_keys_rest(self, board: Board) -> None:
        board.add(unique("Type"))
        sent: list[str] = []
        board.page.on("request", lambda request: "q=" in request.url and sent.append(request.url))
        board.search.press_sequentially("type & more", delay=20)
        expect(board.column("Pending").get_by_text("Nothing here.")).to_be_visible()
        assert {parse_qs(urlsplit(url).query)["q"][0] for url in sent} == {"type & more"}

    def test_nothing_is_said_to_be_here_before_the_server_says_so(
        self, board: Board, colleague: Client
    ) -> None:
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

    def test_a_card_stays_while_it_is_edited(self, board: Board) -> None:
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

    def test_mine_shows_only_the_users_tasks(self, board: Board, colleague: Client) -> None:
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

    def test_the_search_and_mine_work_together(self, board: Board, colleague: Client) -> None:
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

    def test_a_slow_search_does_not_delay_the_next(self, board: Board) -> None:
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

    def test_a_new_task_is_shown_only_by_searches_that_match(self, board: Board) -> None:
        title = unique("Apple")
        board.add(title)
        board.search.fill("zzznothing")
        expect(board.page.get_by_text("Tasks found: 0.", exact=True)).to_be_attached()
        expect(board.card(title)).to_have_count(0)
        expect(board.column("Pending").locator(".count")).to_have_text("0")
        board.search.fill(title)
        expect(board.card(title)).to_be_visible()

    def test_a_task_written_under_a_filter_stays_until_the_filter_changes(
        self, board: Board, colleague: Client
    ) -> None:
        first, second, kept, theirs = unique("First"), unique("Second"), unique("Kept"), unique("Theirs")
        board.mine.click()
        expect(board.column("Completed").get_by_text("Nothing here.")).to_be_visible()
        one, two = board.create(first), board.create(second)
        board.add(kept, "Completed")
        board.page.clock.install(time=time.time() + 60)

        def await_turn(*tasks: str) -> None:
            """Refresh until tasks were read, which a list that could have them does not have."""
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

    def test_outdated_results_look_outdated(self, board: Board, colleague: Client) -> None:
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


class TestDelete:
    def test_others_see_a_deletion_at_once(self, board: Board, colleague: Client) -> None:
        task = board.discard(unique("Gone"))
        assert colleague("GET", f"/tasks/{task}").status_code == 404
        expect(board.undo).to_be_visible()

    def test_undo_restores_the_task_and_its_history(self, board: Board, colleague: Client) -> None:
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

    def test_the_notice_stays_while_it_is_hovered(self, board: Board) -> None:
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

    def test_a_slow_deletion_can_be_undone_before_it_completes(self, board: Board, colleague: Client) -> None:
        title = unique("Slow")
        task = board.create(title)
        with board.page.expect_response("**/restore"), board.paused("DELETE", f"/tasks/{task}"):
            board.delete(title)
            board.undo.click()
            expect(board.card(title)).to_be_focused()
        expect(board.page.get_by_text(f"{title} is back.", exact=True)).to_be_attached()
        assert read(colleague, task)["title"] == title
        expect(board.card(title)).to_be_focused()  # it was there all the time

    def test_a_slow_deletion_stays_out_of_sight(self, board: Board) -> None:
        title = unique("Slow")
        task = board.create(title)
        with board.paused("DELETE", f"/tasks/{task}"):
            board.delete(title)
            board.page.clock.install(time=time.time() + 60)  # after the time that a list may lag
            for _ in range(2):
                board.refresh()
            expect(board.card(title)).to_have_count(0)

    def test_leaving_or_signing_out_completes_a_deletion(
        self, board: Board, open_board: Callable[..., Board], colleague: Client
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

    def test_signing_out_does_not_wait_for_long(self, board: Board) -> None:
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

    def test_leaving_before_a_deletion_is_sent_asks(self, board: Board, colleague: Client) -> None:
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
                board.page.wait_for_timeout(50) is None
                and colleague("GET", f"/tasks/{task}").status_code == 404
            )
        )

    def test_a_deletion_in_a_hidden_tab_is_done(self, board: Board, colleague: Client) -> None:
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
                board.page.wait_for_timeout(50) is None
                and colleague("GET", f"/tasks/{task}").status_code == 404
            )
        )
        expect(board.card(title)).to_have_count(0)

    def test_undo_asks_for_another_title_if_it_is_taken(self, board: Board, colleague: Client) -> None:
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

    def test_undo_of_a_purged_task_says_so(self, board: Board, colleague: Client) -> None:
        title = unique("Purged")
        task = board.discard(title)
        assert colleague("DELETE", f"/trash/{task}").status_code == 204
        board.undo.click()
        expect(board.notices).to_contain_text(f"“{title}” cannot be restored: it is no longer in the trash.")
        expect(board.card(title)).to_have_count(0)
        expect(board.notices.get_by_role("button", name="Close")).to_be_focused()

    def test_undo_of_a_restored_task_shows_it(self, board: Board, colleague: Client) -> None:
        title, theirs = unique("Restored"), unique("Theirs")
        task = board.discard(title)
        colleague("POST", f"/trash/{task}/restore", json={"title": theirs}).raise_for_status()
        board.undo.click()
        expect(board.card(theirs)).to_be_focused()

    def test_a_failed_undo_can_be_retried(self, board: Board) -> None:
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

    def test_lost_responses_are_no_failures(self, board: Board, colleague: Client) -> None:
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


class TestTrash:
    def test_deleted_tasks_are_listed_and_restored(self, board: Board, colleague: Client) -> None:
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
        times = row.locator("time").evaluate_all(
            "times => times.map(time => Date.parse(time.dateTime) / 1000)"
        )
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
        self, open_board: Callable[..., Board], colleague: Client
    ) -> None:
        title = unique("Ago")
        colleague("DELETE", f"/tasks/{colleague.create(title)['id']}")
        board = open_board(locale="de-DE").sign_up()
        await_trashed(colleague, title)
        board.page.clock.install(time=time.time() + 2 * 3_600 + 60)
        board.change_session(token="a.b.c")  # its token is renewed
        board.open_trash()
        expect(board.row(title).locator(".deleted")).to_have_text("Deleted vor 2 Stunden")

    def test_it_is_loaded_page_by_page(self, board: Board, colleague: Client) -> None:
        titles = [unique("Many") for _ in range(25)]
        for title in titles:
            colleague("DELETE", f"/tasks/{colleague.create(title)['id']}")
        await_trashed(colleague, *titles)
        trash = board.open_trash()
        expect(trash.get_by_role("listitem")).to_have_count(20)
        trash.get_by_role("button", name="Load more").click()
        expect(board.row(titles[0])).to_be_visible()
        assert set(trash.get_by_role("heading", level=3).all_inner_texts()[:25]) == set(titles)

    def test_empty_pages_are_passed_and_an_empty_trash_says_so(self, board: Board, stack: Stack) -> None:
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

    def test_it_shows_deletions_that_the_list_lacks(self, board: Board) -> None:
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

    def test_deleting_for_good_asks_once(self, board: Board, colleague: Client) -> None:
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

    def test_a_taken_title_asks_for_another(self, board: Board, colleague: Client) -> None:
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

    def test_somebody_was_faster(self, board: Board, colleague: Client) -> None:
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

    def test_lost_responses_are_no_failures(self, board: Board, colleague: Client) -> None:
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

    def test_a_failed_page_can_be_retried(self, board: Board) -> None:
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


class TestHistory:
    def test_it_describes_changes_newest_first(
        self, open_board: Callable[..., Board], colleague: Client
    ) -> None:
        name, title, other = colleague("GET", "/auth/me").json()["username"], unique("A"), unique("B")
        task = colleague.create(title)["id"]
        changes: list[dict[str, Any]] = [
            {"status": "IN_PROGRESS"},
            {"title": other, "description": "one"},
            {"description": "two"},
            {"assignee": "me"},
            {"assignee": None, "labels": ["x", "y"]},
            {"labels": ["y"]},
            {"due_at": PAST},
            {"due_at": None, "description": None},
        ]
        for change in changes:
            colleague("PATCH", f"/tasks/{task}", json=change).raise_for_status()
        colleague("DELETE", f"/tasks/{task}")
        colleague("POST", f"/trash/{task}/restore", json={"title": title}).raise_for_status()
        board = open_board(locale="de-DE", timezone_id="America/New_York").sign_up()
        dialog = board.open_history(title)
        expect(dialog.locator("li > p")).to_have_text(
            [
                f"{name} {did}, jetzt"
                for did in (
                    f"restored it and renamed it from “{other}” to “{title}”",
                    "deleted it",
                    "removed the description and removed the due date",
                    "set the due date to Mittwoch, 31. Dezember 2025 um 19:00",
                    "removed the label “x”",
                    f"unassigned {name} and added the labels “x”, “y”",
                    f"assigned it to {name}",
                    "changed the description",
                    f"renamed it from “{title}” to “{other}” and added a description",
                    "moved it to In progress",
                    f"created it as “{title}”",
                )
            ]
        )
        expect(dialog).not_to_contain_text("not recorded")
        changed = dialog.get_by_role("listitem").filter(has_text="changed the description")
        expect(changed.get_by_text("one", exact=True)).to_be_hidden()
        changed.get_by_text("The description before and after").click()
        expect(changed.get_by_text("one", exact=True)).to_be_visible()
        expect(changed.get_by_text("two", exact=True)).to_be_visible()
        board.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(board.card(title)).to_be_focused()

    def test_a_key_is_shown_with_its_name_and_its_user(
        self, board: Board, colleague: Client, stack: Stack
    ) -> None:
        name, title = colleague("GET", "/auth/me").json()["username"], unique("Key")
        key = colleague("POST", "/auth/keys", json={"name": "nightly report", "scope": "write"}).json()
        Client(stack.url, key["key"]).create(title)
        board.refresh()
        expect(board.card(title)).to_be_visible()
        expect(board.open_history(title)).to_contain_text(f"nightly report (a key of {name}) created it")

    def test_it_is_loaded_page_by_page_and_in_the_trash(self, board: Board, colleague: Client) -> None:
        title = unique("Long")
        task = colleague.create(title)["id"]
        for number in range(24):
            colleague("PATCH", f"/tasks/{task}", json={"labels": [str(number)]}).raise_for_status()
        colleague("DELETE", f"/tasks/{task}")
        await_trashed(colleague, title)
        board.open_trash()
        link = board.row(title).get_by_role("link", name=title)
        link.click()
        dialog = board.page.get_by_role("dialog", name=title)
        rows = dialog.get_by_role("region", name="History").locator("li")
        expect(rows).to_have_count(20)
        expect(rows.first).to_contain_text("deleted it")
        dialog.get_by_role("button", name="Load more").click()
        expect(rows).to_have_count(26)
        expect(rows.last).to_contain_text("created it")
        expect(dialog.get_by_role("button", name="Close")).to_be_focused()
        board.page.keyboard.press("Escape")
        expect(link).to_be_focused()

    @pytest.mark.parametrize("has_changes", [True, False])
    def test_an_old_tasks_history_says_what_was_not_recorded(self, board: Board, has_changes: bool) -> None:
        change = {
            "version": 7,
            "at": PAST,
            "by": None,
            "key_of": None,
            "type": "task.updated",
            "changes": {"status": ["PENDING", "COMPLETED"]},
        }
        board.page.route("**/history?**", lambda route: route.fulfill(json=[change] if has_changes else []))
        title = unique("Old")
        board.add(title)
        dialog = board.open_history(title)
        if has_changes:
            expect(dialog).to_contain_text("Somebody moved it to Completed")
            expect(dialog).to_contain_text("What was changed before was not recorded.")
        else:
            expect(dialog).to_contain_text("What was changed so far was not recorded.")

    def test_any_text_is_text(self, board: Board, colleague: Client) -> None:
        hostile = unique("<img src=x onerror=alert(1)><b>")
        task = colleague.create(hostile, description=hostile, labels=["<i>x</i>"])["id"]
        long = unique("<script>alert(1)</script>" * 4)
        colleague("PATCH", f"/tasks/{task}", json={"title": long, "description": "\U0001f600" * 9_000})
        board.refresh()
        expect(board.card(long)).to_be_visible()
        dialog = board.open_history(long)
        expect(dialog).to_contain_text(f"created it as “{hostile[:60]}")
        expect(dialog).to_contain_text(f"to “{long[:60]}…” and changed the description")
        dialog.get_by_text("The title before and after").first.click()
        expect(dialog.locator("dd").get_by_text(long, exact=True)).to_be_visible()
        assert board.panel.locator("img, i, script, b b").count() == 0
        assert board.panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")

    def test_the_history_of_a_missing_task_says_so(self, board: Board, colleague: Client) -> None:
        title = unique("Gone")
        task = board.create(title)
        with board.paused("GET", f"/tasks/{task}/history?limit=20"):
            board.open(title)
            colleague("DELETE", f"/tasks/{task}")
            colleague("DELETE", f"/trash/{task}").raise_for_status()
        expect(board.message).to_have_text("It is not there any more.")


class TestTogether:
    def test_changes_of_others_appear_by_themselves(self, board: Board, colleague: Client) -> None:
        title, other = unique("Theirs"), unique("Changed")
        task = colleague.create(title)
        card, changed = board.card(title), board.card(other)
        expect(card).to_be_visible(timeout=WHEN_OTHERS_WRITE)
        colleague("PATCH", f"/tasks/{task['id']}", json={"title": other, "status": "COMPLETED"})
        expect(board.column("Completed").get_by_text(other)).to_be_visible(timeout=WHEN_OTHERS_WRITE)
        colleague("DELETE", f"/tasks/{task['id']}")
        expect(changed).to_have_count(0, timeout=WHEN_OTHERS_WRITE)

    def test_a_refresh_costs_one_conditional_request_and_in_a_hidden_tab_none(self, board: Board) -> None:
        board.add(unique("Idle"))
        board.page.clock.install()
        board.refresh()
        sent = board.requests()
        for _ in range(3):
            with board.page.expect_response("**/tasks?**") as listed:
                board.page.clock.run_for(TICK)
            assert listed.value.status in (200, 304)
        assert listed.value.status == 304
        assert len(sent) == 3
        assert all("if-none-match" in request.headers for request in sent)
        board.hide()
        board.page.clock.run_for(60_000)
        with board.page.expect_response("**/tasks?**"):
            board.hide(False)
        assert len(sent) == 4

    def test_somebody_was_faster(self, open_board: Callable[..., Board], board: Board) -> None:
        second = open_board().sign_up()
        title, mine, theirs = unique("Shared"), unique("Mine"), unique("Theirs")
        board.add(title)
        second.refresh()
        expect(second.card(title)).to_be_visible()
        form = board.edit(title)
        form.get_by_label("Title").fill(mine)
        second.edit(title).get_by_label("Title").fill(theirs)
        second.page.get_by_label("Status").select_option("In progress")
        second.save()
        expect(second.card(theirs)).to_be_visible()
        board.save()
        expect(board.message).to_contain_text(f"the title “{theirs}”, the status “In progress”")
        expect(form.get_by_label("Title", exact=True)).to_have_value(mine)
        board.page.get_by_role("button", name="Keep mine").click()
        # What the user did not touch stays as somebody else left it.
        expect(board.column("In progress").get_by_text(mine)).to_be_visible()
        second.refresh()
        expect(second.column("In progress").get_by_text(mine)).to_be_visible()

    def test_in_a_conflict_their_version_can_be_taken(self, board: Board, colleague: Client) -> None:
        title, theirs = unique("Shared"), unique("Theirs")
        board.add(title)
        task = find(colleague, title) or {}
        board.edit(title).get_by_label("Description").fill("mine")
        changes = {"title": theirs, "description": "theirs"}
        colleague("PATCH", f"/tasks/{task['id']}", json=changes)
        board.save()
        board.page.get_by_role("button", name="Take theirs").click()
        expect(board.card(theirs)).to_be_visible()
        expect(board.panel.locator(".text")).to_have_text("theirs")
        expect(board.page.get_by_text("mine", exact=True)).to_have_count(0)

    def test_conflicts_are_decided_field_by_field(self, board: Board, colleague: Client) -> None:
        title, mine, theirs = unique("Shared"), unique("Mine"), unique("Theirs")
        task = board.create(title)
        form = board.edit(title)
        form.get_by_label("Title").fill(mine)
        form.get_by_label("Description").fill("mine")
        form.get_by_label("Labels").fill("mine")
        changes = {"title": theirs, "description": "theirs", "status": "COMPLETED"}
        colleague("PATCH", f"/tasks/{task}", json=changes)
        board.save()
        expect(form.get_by_role("group", name="labels")).to_have_count(0)
        form.get_by_role("group", name="title").get_by_role("button", name="Take theirs").click()
        form.get_by_role("group", name="description").get_by_role("button", name="Keep mine").click()
        expect(board.column("Completed").get_by_text(theirs)).to_be_visible()
        expect(form).to_have_count(0)
        stored = read(colleague, task)
        fields = ("title", "description", "status", "labels")
        assert [stored[field] for field in fields] == [theirs, "mine", "COMPLETED", ["mine"]]

    def test_changes_of_other_fields_need_no_decision(self, board: Board, colleague: Client) -> None:
        title, theirs = unique("Shared"), unique("Theirs")
        task = board.create(title)
        form = board.edit(title)
        form.get_by_label("Description").fill("mine")
        colleague("PATCH", f"/tasks/{task}", json={"title": theirs})
        board.save()
        expect(board.card(theirs)).to_be_visible()
        expect(form).to_have_count(0)
        stored = read(colleague, task)
        assert (stored["title"], stored["description"]) == (theirs, "mine")

    def test_a_deleted_task_can_be_created_again_from_its_edit(self, board: Board, colleague: Client) -> None:
        title, planned = unique("Gone"), {"labels": ["home"], "due_at": 1_767_225_600, "assignee": "me"}
        task = colleague.create(title, **planned)
        board.edit(title).get_by_label("Description").fill("typed for long")
        colleague("DELETE", f"/tasks/{task['id']}")
        board.save()
        expect(board.message).to_contain_text("deleted")
        board.page.get_by_role("button", name="Create it again").click()
        expect(board.panel.locator(".text")).to_have_text("typed for long")
        again = find(colleague, title) or {}
        assert {name: again[name] for name in planned} == {name: task[name] for name in planned}

    def test_a_task_changed_meanwhile_is_not_deleted(self, board: Board, colleague: Client) -> None:
        title, theirs = unique("Changed"), unique("Theirs")
        task = board.create(title)
        with board.paused("GET", f"/tasks/{task}"):
            board.delete(title)
            colleague("PATCH", f"/tasks/{task}", json={"title": theirs})
        expect(board.notices).to_contain_text("was not deleted. Somebody else has just changed it.")
        expect(board.undo).to_have_count(0)
        board.refresh()
        expect(board.card(theirs)).to_be_visible()

    def test_a_taken_title_is_explained_and_shown(self, board: Board) -> None:
        taken, title = unique("Taken"), unique("Free")
        board.add(taken, "Completed")
        box = board.page.get_by_label("New task in Pending")
        box.fill(taken)
        box.press("Enter")
        expect(board.message).to_contain_text("already has the title")
        expect(box).to_have_value(taken)
        board.add(title)
        form = board.edit(title)
        form.get_by_label("Title").fill(taken)
        board.save()
        expect(board.message).to_contain_text("already has the title")
        expect(form.get_by_label("Title")).to_have_value(taken)
        board.page.get_by_role("button", name="Show that task").click()
        expect(board.card(taken)).to_be_focused()


class TestNextVisit:
    def test_the_last_board_is_shown_until_the_list_loads(self, board: Board, colleague: Client) -> None:
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

    def test_signing_out_deletes_the_stored_board(self, board: Board) -> None:
        title = unique("Secret")
        board.add(title)
        stored = "JSON.stringify(localStorage)"
        await_condition(lambda: board.refresh() is None and title in board.page.evaluate(stored))
        board.page.get_by_role("button", name="Sign out").click()
        expect(board.page.get_by_role("dialog", name="Sign in")).to_be_visible()
        assert title not in board.page.evaluate(stored)

    def test_a_board_that_is_too_large_is_not_stored(self, board: Board, colleague: Client) -> None:
        create_many(colleague, 60, description="x" * 9_000)
        board.refresh()
        expect(board.page.get_by_role("article")).to_have_count(60)
        assert board.page.evaluate("JSON.stringify(localStorage).length") < 500_000


class TestDrafts:
    def crash(self, board: Board) -> None:
        """End the page without a word, and open it again."""
        asked = board.answer_dialogs(True)
        url, page = board.page.url, board.page
        board.page = board.context.new_page()
        page.close()
        board.page.goto(url)
        assert asked == []

    def test_a_draft_is_offered_when_its_task_opens(self, board: Board, colleague: Client) -> None:
        title, theirs = unique("Draft"), unique("Theirs")
        task = board.create(title)
        form = board.edit(title)
        form.get_by_label("Description").fill("half a sentence")
        form.get_by_label("Labels").fill("one, t")
        colleague("PATCH", f"/tasks/{task}", json={"title": theirs, "labels": ["x"]})
        self.crash(board)
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
        self.crash(board)
        expect(board.panel).to_contain_text("half a sentence")
        expect(board.panel).not_to_contain_text("not saved")

    @pytest.mark.parametrize("is_in_editor", [True, False])
    def test_a_discarded_draft_is_not_offered(self, board: Board, is_in_editor: bool) -> None:
        title = unique("Draft")
        board.add(title)
        form = board.edit(title)
        form.get_by_label("Description").fill("half a sentence")
        if is_in_editor:
            board.answer_dialogs(True)
            form.get_by_role("button", name="Cancel").click()
        else:
            self.crash(board)
            board.page.get_by_role("button", name="Discard it").click()
        self.crash(board)
        expect(board.panel).to_contain_text("created it")
        expect(board.panel).not_to_contain_text("not saved")

    def test_a_draft_of_a_deleted_task_can_be_created_again(self, board: Board, colleague: Client) -> None:
        title = unique("Gone")
        task = board.create(title)
        board.edit(title).get_by_label("Description").fill("half a sentence")
        colleague("DELETE", f"/tasks/{task}")
        colleague("DELETE", f"/trash/{task}").raise_for_status()
        self.crash(board)
        board.page.get_by_role("button", name="Go on").click()
        board.save()
        board.page.get_by_role("button", name="Create it again").click()
        expect(board.panel.locator(".text")).to_have_text("half a sentence")
        assert (find(colleague, title) or {})["description"] == "half a sentence"

    def test_the_draft_of_a_new_task_survives_until_it_is_added(self, board: Board) -> None:
        title = unique("Draft")
        box = board.page.get_by_label("New task in Completed")
        box.press_sequentially(title)
        asked = board.answer_dialogs(True)
        board.page.reload()
        assert asked == []
        expect(box).to_have_value(title)
        self.crash(board)
        box = board.page.get_by_label("New task in Completed")
        expect(box).to_have_value(title)
        box.press("Enter")
        expect(board.card(title)).to_be_visible()
        expect(box).to_have_value("")
        self.crash(board)
        expect(board.card(title)).to_be_visible()
        expect(board.page.get_by_label("New task in Completed")).to_have_value("")

    def test_signing_out_asks_and_discards_drafts(self, board: Board) -> None:
        title = unique("Draft")
        board.add(title)
        board.edit(title).get_by_label("Description").fill("half a sentence")
        self.crash(board)
        board.page.keyboard.press("Escape")
        asked = board.answer_dialogs(False)
        board.page.get_by_role("button", name="Sign out").click()
        assert asked == ["Sign out, and discard what you typed?"]
        board.answer_dialogs(True)
        board.page.get_by_role("button", name="Sign out").click()
        expect(board.page.get_by_role("dialog", name="Sign in")).to_be_visible()
        assert "half a sentence" not in board.page.evaluate("JSON.stringify(localStorage)")


class TestOffline:
    def test_offline_changes_wait_and_are_sent_once(self, board: Board, colleague: Client) -> None:
        moved, edited, deleted, added = (unique(name) for name in ("Moved", "Edited", "Deleted", "Added"))
        tasks = {title: board.create(title) for title in (moved, edited, deleted)}
        board.context.set_offline(True)
        waiting = board.page.locator("#waiting")
        board.act(moved, "Move to Completed")
        expect(board.card(moved).get_by_text("Not sent yet")).to_be_visible()
        board.edit(edited).get_by_label("Description").fill("typed offline")
        board.save()
        expect(board.panel.get_by_text("there is no connection")).to_be_visible()
        board.page.keyboard.press("Escape")
        board.page.keyboard.press("Escape")
        expect(board.panel).to_be_hidden()
        expect(board.card(edited).get_by_text("Not sent yet")).to_be_visible()
        board.delete(deleted)
        for title in (added, unique("Another")):
            board.page.get_by_label("New task in Pending").fill(title)
            board.page.get_by_label("New task in Pending").press("Enter")
        unsent = board.column("Pending").get_by_role("list", name="Not sent yet").get_by_role("listitem")
        expect(unsent).to_have_count(2)
        expect(waiting).to_have_text("Not sent yet: 5 changes.")
        asked = board.answer_dialogs(False)
        board.page.evaluate("() => { location.reload(); }")
        await_condition(lambda: board.page.wait_for_timeout(50) is None and len(asked) == 1)
        board.page.get_by_role("button", name="Sign out").click()
        assert asked == ["", "Sign out, and discard what is not sent yet?"]
        sent = board.requests()
        board.context.set_offline(False)
        expect(waiting).to_be_empty()
        expect(board.card(added)).to_be_visible()
        expect(unsent).to_have_count(0)
        expect(board.card(moved).get_by_text("Not sent yet")).to_be_hidden()
        assert read(colleague, tasks[moved])["status"] == "COMPLETED"
        assert read(colleague, tasks[edited])["description"] == "typed offline"
        assert colleague("GET", f"/tasks/{tasks[deleted]}").status_code == 404
        assert sorted(request.method for request in sent if request.method != "GET") == sorted(
            ["PATCH", "PATCH", "DELETE", "POST", "POST"]
        )
        board.open(edited)
        expect(board.panel).to_contain_text("typed offline")
        expect(board.panel).not_to_contain_text("is not saved")

    def test_changes_wait_for_a_server_that_is_down(self, board: Board) -> None:
        title = unique("Down")
        board.add(title)
        board.page.route("**/tasks/*", lambda route: route.abort())
        board.act(title, "Move to Completed")
        expect(board.card(title).get_by_text("Not sent yet")).to_be_visible()
        board.page.unroute("**/tasks/*")
        expect(board.card(title).get_by_text("Not sent yet")).to_be_hidden()
        expect(board.column("Completed").get_by_text(title)).to_be_visible()

    def test_a_new_task_is_sent_once_after_a_crash(self, board: Board, colleague: Client) -> None:
        title = unique("Crash")
        tries = board.lose_first_response("POST", "/tasks")
        board.page.get_by_label("New task in In progress").fill(title)
        board.context.set_offline(True)
        board.page.get_by_label("New task in In progress").press("Enter")
        expect(board.column("In progress").get_by_text("Not sent yet").first).to_be_visible()
        page, url = board.page, board.page.url
        board.page = board.context.new_page()
        page.close()
        board.context.set_offline(False)
        board.page.goto(url)
        expect(board.column("In progress").get_by_text(title)).to_be_visible()
        expect(board.card(title)).to_have_count(1)
        assert tries  # it was served before the crash
        assert (find(colleague, title) or {})["status"] == "IN_PROGRESS"
        names = "Object.keys(localStorage).join()"
        await_condition(lambda: "unsent" not in board.page.evaluate(names))
        expect(board.page.get_by_label("New task in In progress")).to_have_value("")
        expect(board.message).to_have_count(0)

    def test_a_conflict_after_going_offline_shows_both_versions(
        self, board: Board, colleague: Client
    ) -> None:
        edited, moved, taken = unique("Edited"), unique("Moved"), unique("Taken")
        tasks = [board.create(title) for title in (edited, moved)]
        board.context.set_offline(True)
        board.edit(edited).get_by_label("Description").fill("mine")
        board.save()
        board.page.keyboard.press("Escape")
        board.page.keyboard.press("Escape")
        board.act(moved, "Move to In progress")
        box = board.page.get_by_label("New task in Pending")
        box.fill(taken)
        box.press("Enter")
        box.fill("something else")
        colleague("PATCH", f"/tasks/{tasks[0]}", json={"description": "theirs"})
        colleague("PATCH", f"/tasks/{tasks[1]}", json={"status": "COMPLETED"})
        colleague.create(taken, status="COMPLETED")
        board.context.set_offline(False)
        expect(board.notices).to_contain_text(f"“{moved}” was not moved. Somebody else moved it meanwhile.")
        expect(board.column("Completed").get_by_text(moved)).to_be_visible()
        refused = board.column("Pending").get_by_role("list", name="Not sent yet")
        expect(refused).to_contain_text("already has the title")
        expect(box).to_have_value("something else")
        asked = board.answer_dialogs(False)
        box.fill("")
        board.page.get_by_role("button", name="Sign out").click()
        assert asked == ["Sign out, and discard what is not sent yet?"]
        refused.get_by_role("button", name="Type it again").click()
        expect(box).to_have_value(taken)
        expect(board.notices).to_contain_text(f"“{edited}” was not saved. Somebody else changed the same.")
        board.notices.get_by_role("button", name="Open it").click()
        form = board.page.get_by_role("form", name=f"Edit {edited}")
        expect(form.get_by_label("Description")).to_have_value("mine")
        board.save()
        form.get_by_role("button", name="Keep mine").click()
        expect(board.panel.locator(".text")).to_have_text("mine")
        assert read(colleague, tasks[0])["description"] == "mine"


class TestTrouble:
    def test_a_wrong_password_is_said(self, open_board: Callable[..., Board]) -> None:
        board = open_board()
        board.fill_in("nobody-here", "not the password")
        board.page.get_by_role("button", name="Sign in").click()
        expect(board.message).to_contain_text("wrong")
        expect(board.page.get_by_label("Username")).to_have_value("nobody-here")

    def test_an_invalid_username_or_password_is_explained(self, open_board: Callable[..., Board]) -> None:
        board = open_board()
        expect(board.page.get_by_role("dialog")).to_contain_text("3 to 32 letters")
        board.fill_in("a b", "short")
        board.page.get_by_role("button", name="Sign up").click()
        expect(board.message).to_contain_text("username: This cannot be a username")
        expect(board.message).to_contain_text("password: ")
        expect(board.message).not_to_contain_text("pattern")

    def test_an_ended_session_asks_for_the_password_and_continues(self, board: Board) -> None:
        title = unique("Expired")
        board.add(title)
        form = board.edit(title)
        form.get_by_label("Description").fill("typed before")
        board.change_session(token="a.b.c", refreshToken="ended")
        board.save()
        dialog = board.page.get_by_role("dialog", name="Sign in")
        expect(dialog).to_contain_text("Your session has ended")
        board.page.keyboard.press("Escape")
        expect(dialog).to_be_visible()
        expect(board.page.get_by_label("Username")).to_have_value(board.name)
        board.page.get_by_label("Password").fill(PASSWORD)
        board.page.get_by_role("button", name="Sign in").click()
        expect(board.panel.locator(".text")).to_have_text("typed before")

    def test_an_expired_token_is_renewed_unnoticed(self, board: Board) -> None:
        title = unique("Renewed")
        board.change_session(token="a.b.c")
        board.add(title)
        expect(board.page.get_by_role("dialog")).to_be_hidden()

    def test_tabs_share_a_session_until_one_signs_out(self, board: Board) -> None:
        other = board.context.new_page()
        other.goto(board.page.url)
        expect(other.get_by_label("New task in Pending")).to_be_visible()
        expect(other.get_by_role("dialog")).to_be_hidden()
        board.page.get_by_role("button", name="Sign out").click()
        expect(other.get_by_role("dialog")).to_be_visible()

    def test_a_reload_keeps_the_session_and_signing_out_ends_it(self, board: Board) -> None:
        title = unique("Reload")
        board.add(title)
        board.page.reload()
        expect(board.card(title)).to_be_visible()
        board.page.get_by_role("button", name="Sign out").click()
        expect(board.page.get_by_role("dialog")).to_be_visible()
        expect(board.card(title)).to_have_count(0)

    def test_a_slow_network_creates_no_task_twice(self, board: Board, colleague: Client) -> None:
        def slow(route: Route) -> None:
            board.page.wait_for_timeout(500)
            route.continue_()

        title = unique("Slow")
        board.page.route("**/tasks", slow)
        box = board.page.get_by_label("New task in Pending")
        box.fill(title)
        for _ in range(3):
            box.press("Enter")
        expect(board.card(title)).to_have_count(1)
        expect(box).to_have_value("")
        assert board.message.count() == 0

    def test_a_lost_response_creates_no_task_twice(self, board: Board) -> None:
        tries = board.lose_first_response("POST", "/tasks")
        board.add(unique("Lost"))
        first, second = (request.headers["idempotency-key"] for request in tries)
        assert first == second

    def test_a_lost_response_of_a_change_is_no_conflict(self, board: Board) -> None:
        title, other = unique("Lost"), unique("Changed")
        board.add(title)
        form = board.edit(title)
        tries = board.lose_first_response("PATCH", "/tasks/*")
        form.get_by_label("Title").fill(other)
        board.save()
        expect(board.card(other)).to_be_visible()
        assert len(tries) == 2

    def test_a_failing_server_loses_no_draft(self, board: Board) -> None:
        title = unique("Failing")
        board.add(title)
        expect(board.open_history(title)).to_contain_text("created it")

        def fail(route: Route) -> None:
            route.fulfill(status=500, body="<h1>no problem document</h1>")

        board.page.route("**/tasks*/**", fail)
        form = board.edit(title)
        form.get_by_label("Description").fill("still here")
        board.save()
        expect(board.message).to_contain_text("status 500")
        expect(form.get_by_label("Description")).to_have_value("still here")
        board.page.unroute("**/tasks*/**")
        board.save()
        expect(board.panel.locator(".text")).to_have_text("still here")

    def test_a_failed_move_is_undone(self, board: Board) -> None:
        title = unique("Stay")
        board.add(title)
        board.page.route("**/tasks/*", lambda route: route.fulfill(status=500, body=""))
        board.act(title, "Move to In progress")
        expect(board.notices).to_contain_text("was not moved")
        expect(board.column("Pending").get_by_text(title)).to_be_visible()

    def test_a_failed_refresh_is_reported_and_retried(self, board: Board, colleague: Client) -> None:
        title = unique("Later")
        shown = board.add(unique("Shown"))
        board.page.route("**/tasks?**", lambda route: route.fulfill(status=500, body=""))
        colleague.create(title)
        board.page.evaluate("dispatchEvent(new Event('online'))")
        status = board.page.get_by_role("status").first
        expect(status).to_contain_text("Not up to date")
        expect(shown).to_be_visible()
        board.page.unroute("**/tasks?**")
        expect(board.card(title)).to_be_visible(timeout=2 * WHEN_OTHERS_WRITE)
        expect(status).to_be_empty()

    @pytest.mark.parametrize(
        "response",
        [
            {"content_type": "text/html", "body": "<h1>Sign in to this network</h1>"},
            {"json": {"message": None}},
            {"json": [{}]},
            {"body": ""},
            {"status": 304},
        ],
        ids=["html", "object", "array", "empty", "304"],
    )
    def test_a_response_that_is_not_the_apis_is_reported(
        self, board: Board, response: dict[str, Any]
    ) -> None:
        title = unique("Proxy")
        shown = board.add(unique("Shown"))
        board.discard(title)
        said = "Something else than the API answered."
        board.page.route(re.compile("/(tasks|trash)"), lambda route: route.fulfill(**response))
        board.page.evaluate("dispatchEvent(new Event('online'))")
        if response != {"status": 304}:
            expect(board.page.get_by_role("status").first).to_contain_text(said)
        expect(shown).to_be_visible()
        board.page.get_by_label("New task in Completed").fill("typed")
        board.page.get_by_label("New task in Completed").press("Enter")
        expect(board.column("Completed").get_by_role("alert")).to_contain_text(said)
        board.undo.click()
        expect(board.notices).to_contain_text(f"“{title}” was not restored. {said}")
        board.page.get_by_role("article").first.press("Delete")
        expect(board.notices).to_contain_text(f"was not deleted. {said}")
        expect(shown).to_be_visible()
        board.open_trash()
        expect(board.page.get_by_role("dialog").get_by_role("alert")).to_contain_text(said)

    @pytest.mark.parametrize(
        "response",
        [{"json": {"access_token": None}}, {"content_type": "text/html", "body": "<p>Welcome</p>"}],
        ids=["object", "html"],
    )
    def test_a_sign_in_answered_by_a_proxy_is_reported(
        self, open_board: Callable[..., Board], response: dict[str, Any]
    ) -> None:
        board = open_board()
        board.page.route("**/auth/login", lambda route: route.fulfill(**response))
        board.fill_in("somebody")
        board.page.get_by_role("button", name="Sign in").click()
        expect(board.message).to_contain_text("Something else than the API answered.")

    @pytest.mark.parametrize("problem", [{"detail": {}, "errors": "x"}, {"errors": [None, {}]}, "no", None])
    def test_an_error_without_a_problem_document_is_reported(self, board: Board, problem: object) -> None:
        board.page.route("**/tasks", lambda route: route.fulfill(status=400, json=problem))
        box = board.page.get_by_label("New task in Pending")
        box.fill("typed")
        box.press("Enter")
        expect(board.message).to_have_text("The server answered with the status 400.")

    @pytest.mark.parametrize(
        "script",
        [
            "Object.defineProperty(window, 'localStorage', {get() { throw new Error('denied'); }})",
            "Storage.prototype.setItem = () => { throw new Error('quota'); }",
            "localStorage.session ??= '{broken'",
            "localStorage.session ??= '[5]'",
        ],
        ids=["denied", "full", "broken", "other"],
    )
    def test_a_failing_storage_leaves_the_board_usable(
        self, open_board: Callable[..., Board], stack: Stack, script: str
    ) -> None:
        board = open_board("about:blank")
        board.page.add_init_script(f"if (location.protocol === 'http:') {{ {script}; }}")
        board.page.goto(stack.url)
        board.sign_up()
        title = unique("Visit")
        board.add(title)
        board.act(title, "Move to In progress")
        expect(board.column("In progress").get_by_text(title)).to_be_visible()
        board.page.get_by_role("button", name="Sign out").click()
        expect(board.page.get_by_role("dialog", name="Sign in")).to_be_visible()

    def test_a_long_wait_is_reported_at_once(self, board: Board) -> None:
        tries: list[str] = []

        def throttle(route: Route) -> None:
            tries.append(route.request.url)
            route.fulfill(status=429, headers={"Retry-After": "850"}, body="")

        board.page.route("**/tasks", throttle)
        box = board.page.get_by_label("New task in Pending")
        box.fill("typed")
        box.press("Enter")
        expect(board.message).to_contain_text("Try again in 850 s.", timeout=5_000)
        assert len(tries) == 1
        board.page.route("**/tasks?**", throttle)
        board.page.evaluate("dispatchEvent(new Event('online'))")
        expect(board.page.get_by_role("status").first).to_contain_text("Trying again in 850 s.")

    def test_a_short_wait_is_waited_for(self, board: Board) -> None:
        tries: list[str] = []

        def throttle(route: Route) -> None:
            tries.append(route.request.url)
            if len(tries) == 1:
                route.fulfill(status=429, headers={"Retry-After": "1"}, body="")
            else:
                route.continue_()

        board.page.route("**/tasks", throttle)
        board.add(unique("Short"))
        assert len(tries) == 2


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
    # Its title is taken, which the trash tells.
    await_condition(lambda: colleague("POST", "/tasks", json={"title": title}).status_code == 201)
    board.page.get_by_label("New task in Pending").press("Enter")
    board.act(late, "Open")
    expect(board.panel.get_by_text("created it")).to_be_visible()
    look()
    form = board.page.get_by_role("form", name=f"Edit {late}")
    board.page.keyboard.press("e")
    look()
    # Somebody else changed the same, and then what was typed is left, and offered again.
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
    # A link of nothing
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
