"""`make smoke` passes on the local stack, and reports mistakes of other gateways."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.local_stack import ROOT, Client, Stack
from tests.nightly import nightly
from tests.servers import QuietHandler, serving


def smoke(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.smoke", url, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_it_passes_on_the_local_stack_and_leaves_no_task(stack: Stack, user: Client) -> None:
    before = user("GET", "/tasks?limit=100").json()
    done = smoke(stack.url, "--sign-up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all is well\n")
    # It cannot check two things on a laptop: the rate limit, and the expiry of a token after an hour.
    unchecked = [line for line in done.stdout.splitlines() if line.startswith("not checked")]
    assert len(unchecked) == 2, done.stdout
    assert user("GET", "/tasks?limit=100").json() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://example.com"], "is not a URL"),
        (["http://127.0.0.1:9"], "does not respond"),
        (["http://127.0.0.1:9", "--nonsense"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_print_no_traceback(arguments: list[str], message: str) -> None:
    done = smoke(*arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


Change = Callable[[requests.Response], None]


@contextmanager
def changed(url: str, change: Change) -> Iterator[str]:
    """Serve a gateway that forwards requests and changes responses; yields its URL."""

    class Gateway(QuietHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.session = requests.Session()  # one upstream connection per client connection

        def finish(self) -> None:
            self.session.close()
            super().finish()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            response = self.session.request(
                self.command, url + self.path, headers=dict(self.headers), data=body, timeout=30
            )
            change(response)
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                if name.lower() not in {
                    "transfer-encoding",
                    "content-length",
                    "content-encoding",
                    "connection",
                }:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = answer  # noqa: N815

    with serving(Gateway) as url_of_gateway:
        yield url_of_gateway


def without(header: str, status: int) -> Change:
    def change(response: requests.Response) -> None:
        if response.status_code == status:
            response.headers.pop(header, None)

    return change


def as_status(new: int, old: int) -> Change:
    def change(response: requests.Response) -> None:
        if response.status_code == old:
            response.status_code = new

    return change


def tasks_cannot_be_created(response: requests.Response) -> None:
    if response.url.endswith("/tasks") and response.request.method == "POST":
        response.status_code = 503


@pytest.mark.parametrize(
    "mistakes",
    [
        [
            (without("WWW-Authenticate", 401), "no WWW-Authenticate", "GatewayResponses"),
            (without("x-request-id", 404), "has no x-request-id", "MISSING_AUTHENTICATION_TOKEN"),
            (without("Access-Control-Allow-Origin", 413), "has no Access-Control", "REQUEST_TOO_LARGE"),
            (without("Access-Control-Allow-Methods", 200), "allows no method", "Cors in template.yaml"),
            (without("Idempotency-Replayed", 201), "Idempotency-Replayed is None", "store.py"),
            # The changed gateway never compresses.
            (lambda _response: None, "it is not compressed", "MinimumCompressionSize"),
        ],
        pytest.param(
            [
                (as_status(403, 404), "is 403", "MISSING_AUTHENTICATION_TOKEN"),
                (as_status(200, 304), "is 200", "the ETag"),
                (without("X-Cache", 200), "X-Cache is None", "CacheFailure"),
            ],
            marks=nightly,
        ),
        pytest.param([(tasks_cannot_be_created, "is 503", "x-request-id")], marks=nightly),
    ],
    ids=["headers", "statuses", "failures"],
)
def test_a_mistake_is_reported_with_where_to_look(
    stack: Stack, mistakes: list[tuple[Change, str, str]]
) -> None:
    def make_all(response: requests.Response) -> None:
        for make, _, _ in mistakes:
            make(response)

    with changed(stack.url, make_all) as url:
        done = smoke(url, "--sign-up")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    for _, found, look_at in mistakes:
        place = next((number for number, line in enumerate(lines) if found in line), None)
        assert place is not None, f"{found!r} is not in:\n{done.stdout}"
        assert lines[place].startswith("failed")
        assert look_at in lines[place + 1]
