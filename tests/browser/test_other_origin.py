"""A page of another origin uses the API from Chromium: preflights, tokens, entity tags and links."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.local_stack import Stack, unique
from tests.optional import needs_chromium
from tests.servers import QuietHandler, serving

pytestmark = needs_chromium

SCRIPT = """
async ([api, name, title]) => {
  const json = {"Content-Type": "application/json"}
  const user = {username: name, password: "correct horse"}
  await fetch(`${api}/auth/create`, {method: "POST", headers: json, body: JSON.stringify(user)})
  const signedIn = await fetch(`${api}/auth/login`, {method: "POST", body: new URLSearchParams(user)})
  const token = {Authorization: `Bearer ${(await signedIn.json()).access_token}`}
  const create = (title) => fetch(`${api}/tasks`, {
    method: "POST",
    headers: {...json, ...token, "Idempotency-Key": encodeURIComponent(title)},
    body: JSON.stringify({title}),
  })
  await create(title + " 1")
  const created = await create(title + " 2")
  const listed = await fetch(`${api}/tasks?limit=1`, {headers: token})
  const changed = await fetch(created.headers.get("Location"), {
    method: "PATCH",
    headers: {
      "Content-Type": "application/merge-patch+json", ...token, "If-Match": created.headers.get("ETag"),
    },
    body: JSON.stringify({status: "COMPLETED"}),
  })
  const stale = await fetch(created.headers.get("Location"), {
    method: "DELETE", headers: {...token, "If-Match": created.headers.get("ETag")},
  })
  const refused = await fetch(`${api}/tasks`)
  return {
    statuses: [created, listed, changed, stale, refused].map((response) => response.status),
    tags: [created, changed].map((response) => response.headers.get("ETag")),
    link: listed.headers.get("Link"),
    requestId: refused.headers.get("x-request-id"),
    problem: await stale.json(),
  }
}
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The URL of an empty page of another origin."""

    class Empty(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>Elsewhere</title>")

    with serving(Empty) as url:
        yield url


def test_a_page_of_another_origin_uses_the_api(page: Page, stack: Stack, elsewhere: str) -> None:
    page.goto(elsewhere)
    seen = page.evaluate(SCRIPT, [stack.url, unique("elsewhere").replace(" ", "-"), unique("From elsewhere")])
    assert seen["statuses"] == [201, 200, 200, 412, 401]
    assert seen["tags"] == ['"1"', '"2"']
    assert seen["link"].endswith('rel="next"')
    assert seen["requestId"]
    assert seen["problem"]["status"] == 412
