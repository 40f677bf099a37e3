"""Descriptions, written in a small Markdown."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.board import Board
from tests.local_stack import Client, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def show(board: Board, colleague: Client, text: str) -> Locator:
    """Show a text in the panel."""
    title = unique("Text")
    task = colleague.create(title, description=text)["id"]
    board.page.goto(f"{board.page.url.split('#')[0]}#/task/{task}")
    expect(board.page.get_by_role("dialog", name=title)).to_be_visible()
    return board.panel.locator(".text")


def test_markdown_is_rendered(board: Board, colleague: Client) -> None:
    text = "A **bold *and italic*** word,\r\n`**code**`.\n\nNext\n- one\n- *two*\n\n3. three\n4) four\nlast"
    shown = show(board, colleague, text)
    html = shown.evaluate("element => element.innerHTML")
    assert html == (
        "<p>A <strong>bold <em>and italic</em></strong> word,\n<code>**code**</code>.</p><p>Next</p>"
        '<ul><li>one</li><li><em>two</em></li></ul><ol start="3"><li>three</li><li>four</li></ol>'
        "<p>last</p>"
    )


def test_links_are_links(board: Board, colleague: Client) -> None:
    text = "(see https://a.example/b?c=(d).) [docs](/docs) [a task](#/task/x) http://b.example, [x](HTTPS://c.example)"
    links = show(board, colleague, text).get_by_role("link")
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
def test_other_markup_stays_text(board: Board, colleague: Client, text: str) -> None:
    shown = show(board, colleague, text)
    expect(shown).to_have_text(text)
    assert shown.locator("p *").count() == 0
