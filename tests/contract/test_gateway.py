"""The local gateway on a socket, and what the terminal shows of functions that fail."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import copy_project
from tests.local_stack import Stack, await_condition

FUNCTION = """
import json, os, sys, time

def handler(event, context):
    what = (event["queryStringParameters"] or {}).get("do")
    if what == "raise":
        raise ValueError("a reason")
    if what == "die":
        os._exit(1)
    if what == "sleep":
        time.sleep(60)
    if what == "large":
        return {"statusCode": 200, "body": "x" * 7_000_000}
    if what == "malformed":
        return {"body": {}}
    if what == "print":
        print("a\\x1b[2Jb")
    return {"statusCode": 200, "body": json.dumps(event)}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project where GET /docs answers with its event."""
    folder: Path = tmp_path_factory.mktemp("project")
    copy_project(folder, "functions", "shared", "tools")
    template = folder / "template.yaml"
    template.write_text(template.read_text().replace("Timeout: 10", "Timeout: 2"))
    (folder / "functions/api_docs/app.py").write_text(FUNCTION)
    return folder


@pytest.fixture(scope="module")
def stack(project: Path) -> Iterator[Stack]:
    stack = Stack("--no-state", root=project)
    yield stack
    stack.stop()


@pytest.fixture
def connection(stack: Stack) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=30)
    yield connection
    connection.close()


def get(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status


def assert_problem(response: http.client.HTTPResponse, status: int) -> None:
    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert json.loads(response.read())["status"] == status


def test_connections_are_kept(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    first = connection.sock
    for path in ("/docs", "/nowhere", "/docs?do=raise", "/docs"):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert "Server" not in response.headers
        assert connection.sock is first, f"{path} closed the connection"


def test_repeated_headers_arrive_one_by_one(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("GET", "/docs?a=1&a=2")
    for value in ("1, 2", "3"):
        connection.putheader("X-Twice", value)
    connection.endheaders()
    event = json.loads(connection.getresponse().read())
    assert event["multiValueHeaders"]["X-Twice"] == ["1, 2", "3"]
    assert event["headers"]["X-Twice"] == "3"
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}


def test_head_is_no_route(connection: http.client.HTTPConnection) -> None:
    connection.request("HEAD", "/docs")
    response = connection.getresponse()
    assert (response.status, response.read()) == (404, b"")


def test_a_large_body_is_refused_on_a_connection_that_lives(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/auth/create", body=b"x" * (10 * 1024 * 1024 + 1))
    assert_problem(connection.getresponse(), 413)
    assert get(connection, "/docs") == 200


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET /docs HTTP/1.1\r\nno header\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_problem_too(stack: Stack, request_text: bytes) -> None:
    host, _, port = stack.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(request_text)
        response = http.client.HTTPResponse(client)
        response.begin()
        assert_problem(response, 400)


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("raise", r"│ ValueError: a reason$"),
        (
            "die",
            r"ApiDocsFunction │ RequestId: [0-9a-f-]{36} Error: Runtime exited with error: exit status 1$",
        ),
        ("sleep", r"ApiDocsFunction │ RequestId: [0-9a-f-]{36} Task timed out after 2.00 seconds$"),
        ("large", r"Function.ResponseSizeTooLarge: Response payload size \(\d+ bytes\) exceeded"),
        ("malformed", r"Malformed Lambda proxy response: the body is an object, not a string$"),
    ],
)
def test_a_failure_is_a_problem_and_its_reason_is_shown(
    stack: Stack, connection: http.client.HTTPConnection, what: str, shown: str
) -> None:
    connection.request("GET", f"/docs?do={what}")
    assert_problem(connection.getresponse(), 500)
    stack.wait_for(shown)


def test_a_traceback_is_whole(stack: Stack, connection: http.client.HTTPConnection) -> None:
    for _ in range(5):
        get(connection, "/docs?do=raise")
        get(connection, "/nowhere")
    stack.wait_for("ValueError")
    lines = [line.partition("│ ")[2] for line in stack.lines]
    starts = [index for index, line in enumerate(lines) if line.startswith("[ERROR] Traceback")]
    assert starts
    for start in starts:
        # Python 3.13 underlines more than 3.11 does.
        report = [line for line in lines[start + 1 : start + 5] if line.strip(" ^~")]
        assert re.match(r'  File ".*/api_docs/app.py", line \d+, in handler', report[0])
        assert report[1:3] == ['    raise ValueError("a reason")', "ValueError: a reason"]


def test_nothing_from_outside_controls_the_terminal(
    stack: Stack, connection: http.client.HTTPConnection
) -> None:
    get(connection, "/docs?do=print")
    get(connection, "/docs?%0a%1b[2J")
    stack.wait_for(r"│ a\\x1b\[2Jb$")
    stack.wait_for(r"GET    /docs\?…  ApiDocsFunction$")
    assert not [line for line in stack.lines if "\x1b" in line]


def test_what_editors_leave_in_shared_does_not_matter(
    project: Path, connection: http.client.HTTPConnection
) -> None:
    link = project / "shared/.#tokens.py"
    link.symlink_to(f"somebody@nowhere.{os.getpid()}")
    try:
        assert get(connection, "/docs") == 200
    finally:
        link.unlink()


def test_many_connections_at_once(stack: Stack) -> None:
    host = stack.url.removeprefix("http://")
    connections = [http.client.HTTPConnection(host, timeout=60) for _ in range(40)]
    for connection in connections:
        connection.request("GET", "/docs")
    assert {connection.getresponse().status for connection in connections} == {200}
    for connection in connections:
        connection.close()


def test_it_stops_while_connections_are_open(project: Path) -> None:
    stack = Stack("--no-state", root=project)
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=30)
    assert get(connection, "/docs") == 200
    assert stack.stop() == 0
    await_condition(lambda: stack.process.poll() is not None)
    connection.close()
    assert not [line for line in stack.lines if "Traceback" in line]
