"""What the tests in a browser share: Chromium, and the API under a stage path, as a deployed one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.board import Board
from tests.local_stack import Client, Stack
from tests.optional import CHROMIUM
from tests.servers import QuietHandler, serving

expect.set_options(timeout=20_000)  # in milliseconds: other tests run at the same time


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM.path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    page.set_default_timeout(20_000)
    return page


@pytest.fixture(scope="module")
def staged(stack: Stack) -> Iterator[str]:
    """The URL of the API under a stage's path. Only the context of events has that path."""
    from tests.handlers import LambdaContext, event, load_function

    pages = {"": load_function("board").handler, "/docs": load_function("api_docs").handler}

    class Proxy(QuietHandler):
        def handle_any(self) -> None:
            path, _, query = self.path.removeprefix("/v1").partition("?")
            if not self.path.startswith("/v1"):
                self.reply(403, {}, b"")
            elif path.rstrip("/") in pages and self.command == "GET":
                context = {"path": f"/v1{path}", "resourcePath": path or "/"}
                event_ = event("api_docs", path=path)
                event_["requestContext"].update(context)
                answer = pages[path.rstrip("/")](event_, LambdaContext())
                headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
                self.reply(answer["statusCode"], headers, answer["body"].encode())
            else:
                self.forward(f"{path}?{query}")

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def forward(self, path: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            dropped = {"host", "accept-encoding", "connection"}
            headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
            response = requests.request(
                self.command, stack.url + path, data=body, headers=headers, timeout=30, allow_redirects=False
            )
            kept = {name: response.headers[name] for name in PASSED if name in response.headers}
            self.reply(response.status_code, kept, response.content)

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    with serving(Proxy) as url:
        yield f"{url}/v1"


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
        # Chromium reports each failed request; the tests check how the page handles them.
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


PASSED = ("Content-Type", "ETag", "Link", "Location")
"""Headers of responses that the stage passes on."""
