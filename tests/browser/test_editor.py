"""The fields of a task: texts, due dates, assignees, labels."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.board import FUTURE, PAST, Board, read
from tests.local_stack import Client, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_an_emoji_counts_as_one_character(board: Board, colleague: Client) -> None:
    title = "\U0001f600" * 150
    board.page.get_by_label("New task in Pending").focus()
    board.page.keyboard.insert_text(title)
    board.page.keyboard.press("Enter")
    expect(board.card(title)).to_be_visible()
    board.edit(title).get_by_label("Title").press("End")
    board.page.keyboard.insert_text("!")
    board.page.keyboard.press("Enter")
    expect(board.card(f"{title}!")).to_be_visible()


def test_a_text_that_is_too_long_is_reported_and_not_cut(board: Board) -> None:
    title = "x" * 201
    box = board.page.get_by_label("New task in Pending")
    box.focus()
    board.page.keyboard.insert_text(title)
    board.page.keyboard.press("Enter")
    expect(board.message).to_contain_text("at most 200 characters")
    expect(box).to_have_value(title)


def test_a_password_is_not_cut(open_board: Callable[..., Board]) -> None:
    password = "\U0001f600" * 70
    board = open_board()
    board.page.get_by_label("Username").fill(unique("emoji").replace(" ", "-"))
    board.page.get_by_label("Password").focus()
    board.page.keyboard.insert_text(password)
    expect(board.page.get_by_label("Password")).to_have_value(password)
    board.page.get_by_role("button", name="Sign up").click()
    expect(board.page.get_by_role("dialog")).to_be_hidden()


def test_overdue_tasks_say_so_in_words(board: Board, colleague: Client) -> None:
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


def test_a_task_becomes_overdue_while_nothing_else_happens(board: Board, colleague: Client) -> None:
    title = unique("Soon")
    colleague.create(title, due_at=int(time.time()) + 600)
    due = board.card(title).locator(".due")
    board.refresh()
    expect(due).to_have_text(re.compile("^Due "))
    board.page.clock.install(time=time.time() + 600)
    board.refresh()
    expect(due).to_have_text(re.compile("^Overdue: "))


def test_dates_are_in_the_readers_language(open_board: Callable[..., Board], colleague: Client) -> None:
    title = unique("Language")
    colleague.create(title, due_at=PAST)
    board = open_board(locale="de-DE", timezone_id="America/New_York").sign_up()
    expect(board.card(title)).to_contain_text("31.12.2025")


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/New_York", date(2030, 7, 4)),
        ("Pacific/Auckland", date(2030, 7, 4)),
        # The second of these days began at one o'clock.
        ("America/Sao_Paulo", date(2018, 11, 3)),
        ("America/Sao_Paulo", date(2018, 11, 4)),
    ],
)
def test_a_picked_day_ends_where_the_user_is(
    open_board: Callable[..., Board], colleague: Client, zone: str, day: date
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


def test_unchanged_fields_are_not_sent(board: Board, colleague: Client) -> None:
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
    # A label with a comma stays one label, even when another is added.
    board.edit(title).get_by_label("Labels").fill("Home, garden, b, c")
    with board.page.expect_request(lambda request: request.method == "PATCH") as sent:
        board.save()
    assert sent.value.post_data_json == {"labels": ["Home, garden", "b", "c"]}
    expect(board.card(title).get_by_role("listitem")).to_have_text(["Home, garden", "b", "c"])
    assert read(colleague, task)["due_at"] == plan["due_at"]


@pytest.mark.parametrize("description", ["one\r\ntwo", ""])
def test_an_untouched_description_keeps_its_bytes(board: Board, colleague: Client, description: str) -> None:
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


def test_an_assignee_and_labels_are_set_and_cleared(board: Board, colleague: Client) -> None:
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


def test_an_unknown_assignee_is_refused_and_nothing_is_lost(board: Board) -> None:
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


def test_changes_of_others_are_described_in_words(board: Board, colleague: Client) -> None:
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
