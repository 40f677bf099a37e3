"""Swagger UI in Chromium: sign up, sign in with the Authorize button, and try the API out."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.local_stack import Stack, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


def execute(page: Page, operation: str, body: object = None) -> tuple[int, str]:
    """Open an operation, try it out, and read the response."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary").click()
    block.get_by_role("button", name="Try it out").click()
    if body is not None:
        block.locator("textarea.body-param__text").fill(json.dumps(body))
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response").first
    status = int(answer.locator(".response-col_status").inner_text().split()[0])
    return status, answer.locator(".highlight-code").first.inner_text()


@pytest.mark.parametrize("place", ["root", "stage"])
def test_sign_in_and_try_it_out(
    page: Page,
    stack: Stack,
    staged: str,
    place: str,
    request: pytest.FixtureRequest,
) -> None:
    url = stack.url if place == "root" else staged
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{url}/docs")
    name, title = f"visitor-{place}", unique("From the docs")

    status, _ = execute(page, "Users-create_user", {"username": name, "password": "correct horse"})
    assert status == 201
    status, _ = execute(page, "Tasks-create_task", {"title": title})
    assert status == 401
    login = page.locator("#operations-Users-login")
    login.locator(".opblock-summary").click()
    login.get_by_role("button", name="Try it out").click()
    expect(login.locator("tr", has_text="username").locator("input").first).to_have_value("ada")

    page.get_by_role("button", name="Authorize", exact=True).first.click()
    dialog = page.locator(".modal-ux")
    for does_not_apply in ("#password_type", "#client_id_password", "#client_secret_password"):
        expect(dialog.locator(does_not_apply)).to_be_hidden()
    dialog.locator("#oauth_username").fill(name)
    dialog.locator("#oauth_password").fill("correct horse")
    dialog.get_by_role("button", name="Apply given OAuth2 credentials").click()
    expect(dialog.get_by_role("button", name="Remove authorization")).to_be_visible()
    dialog.get_by_role("button", name="Close").first.click()

    block = page.locator("#operations-Tasks-create_task")
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table .response .response-col_status").first).to_contain_text("201")
    status, text = execute(page, "Tasks-list_tasks")
    assert status == 200
    assert title in text
    assert errors == []
    assert not page.get_by_text("Could not render").count()
