"""The board as a user sees it, for tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, Dialog, Locator, Page, Request, Route, expect

from tests.local_stack import Client, await_condition, unique

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


def read(client: Client, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = client("GET", f"/tasks/{task_id}").json()
    return task


def create_many(client: Client, count: int, **fields: Any) -> list[str]:
    """Create tasks; returns their titles."""
    titles = [unique("Many") for _ in range(count)]
    for title in titles:
        client.create(title, **fields)
    return titles


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
