"""Changes without a connection."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.board import Board, find, read
from tests.local_stack import Client, await_condition, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_offline_changes_wait_and_are_sent_once(board: Board, colleague: Client) -> None:
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


def test_changes_wait_for_a_server_that_is_down(board: Board) -> None:
    title = unique("Down")
    board.add(title)
    board.page.route("**/tasks/*", lambda route: route.abort())
    board.act(title, "Move to Completed")
    expect(board.card(title).get_by_text("Not sent yet")).to_be_visible()
    board.page.unroute("**/tasks/*")
    expect(board.card(title).get_by_text("Not sent yet")).to_be_hidden()
    expect(board.column("Completed").get_by_text(title)).to_be_visible()


def test_a_new_task_is_sent_once_after_a_crash(board: Board, colleague: Client) -> None:
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


def test_a_conflict_after_going_offline_shows_both_versions(board: Board, colleague: Client) -> None:
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
