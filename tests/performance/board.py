"""The board in Chromium: its size, the time to its first card, and whether it stays smooth with many tasks."""

from __future__ import annotations

import gzip
import statistics
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, sync_playwright

from shared.tasks.indexes import StatusShards
from shared.tasks.store import TaskStore
from shared.tasks.task import TaskStatus
from tests.local_stack import Client, Stack, sign_up
from tests.optional import CHROMIUM
from tests.performance.programs import dynamodb, say
from tests.performance.report import table
from tests.tasks import new_task

TASKS = 3_000
ROUNDS = 5
LATENCY = 150
"""Milliseconds per round trip."""
BYTES_A_SECOND = 1_600_000 / 8
"""What browsers' developer tools call a slow 4G connection."""
PASSWORD = "correct horse"
LONGEST = """
() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
  }).observe({ type: "longtask", buffered: false });
}
"""


def measure() -> str:
    stack = Stack("--no-state")
    try:
        return _measure(stack, sign_up(stack.url))
    finally:
        stack.stop()


def _measure(stack: Stack, user: Client) -> str:
    say(f"a board of {TASKS:,} tasks")
    _fill(stack)
    page_size = len(gzip.compress(user("GET", "/").content, 6))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM.path, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(f"{stack.url}/")
        page.get_by_label("Username").fill(user("GET", "/auth/me").json()["username"])
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("article")
        _throttle(page)
        first = statistics.median(_first_view(page, is_kept=False) for _ in range(ROUNDS))
        again = statistics.median(_first_view(page, is_kept=True) for _ in range(ROUNDS))
        longest = _longest_tasks(page)
        browser.close()
    rows = [
        ["the page, compressed", f"{page_size / 1000:.1f} KB", "60 KB"],
        ["the first card is seen", f"{first:.2f} s", "1 s"],
        ["the same, at a second visit", f"{again:.2f} s", "1 s"],
        *([f"the longest task of {name}", f"{ms:.0f} ms", "50 ms"] for name, ms in longest.items()),
    ]
    return f"""The board

Chromium, with {LATENCY} ms per round trip and {BYTES_A_SECOND * 8 / 1e6} Mbit/s (slow 4G in developer tools), and {TASKS:,} tasks. The time to
the first card is from the navigation until the card is in the page, the median of {ROUNDS} visits. A *task* here is work that blocks the
page; Chromium reports only tasks of 50 ms or more, so 0 means that there was none.

{table(["", "", "aim"], rows)}"""


def _fill(stack: Stack) -> None:
    endpoint = stack.wait_for(r"AWS\s+(http://\S+)")[1]
    store = TaskStore(
        lambda: None,
        client=dynamodb(endpoint),
        table="TasksTable",
        history="HistoryTable",
        shards=StatusShards(),
    )
    for number, status in zip(range(TASKS), list(TaskStatus) * TASKS, strict=False):
        store.create(new_task(f"Task {number}", status=status))


def _throttle(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY,
            "downloadThroughput": BYTES_A_SECOND,
            "uploadThroughput": BYTES_A_SECOND,
        },
    )


def _first_view(page: Page, *, is_kept: bool) -> float:
    """Seconds until the first card is in the page, with or without what the browser kept from the last visit."""
    if not is_kept:
        page.evaluate(
            "Object.keys(localStorage).filter((k) => k.startsWith('kept')).forEach((k) => localStorage.removeItem(k))"
        )
    started = time.perf_counter()
    page.reload(wait_until="commit")
    page.wait_for_selector("article")
    return time.perf_counter() - started


def _longest_tasks(page: Page) -> dict[str, float]:
    """Milliseconds of the longest blocking task of each user action, with all tasks loaded."""
    more = page.get_by_role("button", name="Load more")
    more.first.wait_for()
    while (loaded := page.locator("article").count()) < TASKS:
        say(f"{loaded:,} tasks are loaded")
        more.first.click()
        page.wait_for_function("(before) => document.querySelectorAll('article').length > before", arg=loaded)

    def longest(act: Callable[[], Any]) -> float:
        page.evaluate(LONGEST)
        act()
        page.wait_for_timeout(1_000)
        return float(page.evaluate("window.longest"))

    return {
        "a refresh": longest(lambda: page.wait_for_timeout(5_000)),
        "opening a task": longest(lambda: page.locator("article").first.press("Enter")),
        "scrolling a column": longest(lambda: page.mouse.wheel(0, 20_000)),
    }
