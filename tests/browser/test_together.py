"""Several users and several tabs."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.board import TICK, WHEN_OTHERS_WRITE, Board, find, read
from tests.local_stack import Client, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def test_changes_of_others_appear_by_themselves(board: Board, colleague: Client) -> None:
    title, other = unique("Theirs"), unique("Changed")
    task = colleague.create(title)
    card, changed = board.card(title), board.card(other)
    expect(card).to_be_visible(timeout=WHEN_OTHERS_WRITE)
    colleague("PATCH", f"/tasks/{task['id']}", json={"title": other, "status": "COMPLETED"})
    expect(board.column("Completed").get_by_text(other)).to_be_visible(timeout=WHEN_OTHERS_WRITE)
    colleague("DELETE", f"/tasks/{task['id']}")
    expect(changed).to_have_count(0, timeout=WHEN_OTHERS_WRITE)


def test_a_refresh_costs_one_conditional_request_and_in_a_hidden_tab_none(board: Board) -> None:
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


def test_somebody_was_faster(open_board: Callable[..., Board], board: Board) -> None:
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
    # Fields that the user did not edit keep the other user's values.
    expect(board.column("In progress").get_by_text(mine)).to_be_visible()
    second.refresh()
    expect(second.column("In progress").get_by_text(mine)).to_be_visible()


def test_in_a_conflict_their_version_can_be_taken(board: Board, colleague: Client) -> None:
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


def test_conflicts_are_decided_field_by_field(board: Board, colleague: Client) -> None:
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


def test_changes_of_other_fields_need_no_decision(board: Board, colleague: Client) -> None:
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


def test_a_deleted_task_can_be_created_again_from_its_edit(board: Board, colleague: Client) -> None:
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


def test_a_task_changed_meanwhile_is_not_deleted(board: Board, colleague: Client) -> None:
    title, theirs = unique("Changed"), unique("Theirs")
    task = board.create(title)
    with board.paused("GET", f"/tasks/{task}"):
        board.delete(title)
        colleague("PATCH", f"/tasks/{task}", json={"title": theirs})
    expect(board.notices).to_contain_text("was not deleted. Somebody else has just changed it.")
    expect(board.undo).to_have_count(0)
    board.refresh()
    expect(board.card(theirs)).to_be_visible()


def test_a_taken_title_is_explained_and_shown(board: Board) -> None:
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
