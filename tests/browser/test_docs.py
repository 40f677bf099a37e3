"""Swagger UI in Chromium: sign up, sign in with the Authorize button, and try the API out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.local_stack import Stack, unique
from tests.optional import needs_chromium

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def staged(stack: Stack) -> Iterator[str]:
    """The API under a stage path, as a deployed one is: only the event's context has the stage."""
    from tests.handlers import LambdaContext, event, load_function

    docs = load_function("api_docs").handler

    class Proxy(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            path, _, query = self.path.removeprefix("/v1").partition("?")
            if path in {"/docs", "/openapi.json"}:
                context = event("api_docs")["requestContext"] | {"path": f"/v1{path}", "resourcePath": path}
                answer = docs(event("api_docs", path=path, requestContext=context), LambdaContext())
                headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
                self.reply(answer["statusCode"], headers, answer["body"].encode())
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {
                k: v for k, v in self.headers.items() if k.lower() in {"authorization", "content-type"}
            }
            response = requests.request(
                self.command, f"{stack.url}{path}?{query}", data=body, headers=headers, timeout=30
            )
            kind = {"Content-Type": response.headers.get("Content-Type", "text/plain")}
            self.reply(response.status_code if self.path.startswith("/v1/") else 403, kind, response.content)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def execute(page: Page, operation: str, body: object = None) -> tuple[int, str]:
    """Open an operation, try it out, and read the answer."""
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
