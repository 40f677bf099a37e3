"""The README's pictures: `make pictures` draws them, and tests check that they are up to date."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ViewportSize, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.local_stack import ROOT, Client, Stack
from tests.optional import CHROMIUM

PICTURES = ROOT / "docs/pictures"
NOW, DAY = int(time.time()), 86_400
TASKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Book the venue", {"status": "COMPLETED", "description": "Room for 40, with a projector."}),
    ("Ask the speakers", {"status": "COMPLETED", "assignee": "me"}),
    ("Order the catering", {"status": "IN_PROGRESS", "assignee": "me", "due_at": NOW - 2 * DAY}),
    ("Design the badges", {"status": "IN_PROGRESS", "labels": ["print"]}),
    (
        "Send the invitations",
        {"description": "Everyone on the list, and the press.", "due_at": NOW + 3 * DAY},
    ),
    ("Test the microphones", {"assignee": "me", "due_at": NOW + 9 * DAY, "labels": ["hall"]}),
    ("Print the programs", {"labels": ["print", "urgent"]}),
)
_WIDTH = 124  # columns
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def use(stack: Stack) -> list[str]:
    """Use a fresh stack as a newcomer would; returns its output, with the default address of `make run`."""
    anyone, who = Client(stack.url), {"username": "ada", "password": "correct horse battery"}
    anyone("POST", "/auth/create", json=who).raise_for_status()
    user = Client(stack.url, anyone("POST", "/auth/login", data=who).json()["access_token"])
    user.create("Book the venue")
    for function in ("InvalidateTaskCache", "PublishTaskEvents", "SendNotification", "FanOutWebhooks"):
        stack.wait_for(rf"1 from .*{function}Function")
    for result in ("miss", "hit"):
        user("GET", "/tasks").raise_for_status()
        stack.wait_for(rf"cache {result}")
    return [line.replace(stack.url, "http://127.0.0.1:3000") for line in stack.lines]


def draw_terminal(lines: list[str], path: Path) -> None:
    """Draw the output of `make run`."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print('$ make run ARGS="--no-state --no-metrics"')
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True)
    svg = console.export_svg(title="Task API", theme=MONOKAI, unique_id="terminal")
    path.write_text(_FONTS.sub("", svg), "utf-8")


def draw_board(browser: Browser, stack: Stack, path: Path) -> None:
    """Draw the board of a fresh stack, with some tasks on it."""
    viewport: ViewportSize = {"width": 1120, "height": 590}
    page = browser.new_page(viewport=viewport, locale="en-US", color_scheme="light", reduced_motion="reduce")
    page.goto(stack.url)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("correct horse battery")
    with page.expect_response("**/auth/login") as login:
        page.get_by_role("button", name="Sign up").click()
    user = Client(stack.url, login.value.json()["access_token"])
    for title, fields in TASKS:
        user.create(title, **fields)
    for title, _ in TASKS:
        page.get_by_text(title, exact=True).wait_for()
    page.screenshot(path=path)
    page.close()


def main() -> None:
    """Draw all pictures."""
    os.environ["FORCE_COLOR"] = "1"
    PICTURES.mkdir(exist_ok=True)
    stack = Stack("--no-state", "--no-metrics", schedules=True)
    try:
        draw_terminal(use(stack), PICTURES / "terminal.svg")
    finally:
        stack.stop()
    if CHROMIUM.find() is None:
        sys.exit(f"error: {CHROMIUM.reason}. Only terminal.svg was drawn.")
    stack = Stack("--no-state")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM.path, args=["--no-sandbox"])
            draw_board(browser, stack, PICTURES / "board.png")
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
