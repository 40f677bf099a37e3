"""The local gateway over a socket, with functions that fail, change or print."""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import copy_project
from tests.local_stack import Stack

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
    facts = {"environment": list(os.environ), "remaining": context.get_remaining_time_in_millis()}
    return {"statusCode": 200, "body": json.dumps({**event, **facts})}
"""
GREETING = """
from shared.greeting import GREETING

def handler(event, context):
    return {"statusCode": 200, "body": GREETING}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project where GET /docs returns its event."""
    folder: Path = tmp_path_factory.mktemp("project")
    copy_project(folder, "functions", "shared", "tools")
    template = folder / "template.yaml"
    template.write_text(template.read_text().replace("Timeout: 10", "Timeout: 1"))
    (folder / "functions/api_docs/app.py").write_text(FUNCTION)
    return folder


@pytest.fixture(scope="module")
def stack(project: Path) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("A_SECRET_OF_THE_SHELL", "x")
        stack = Stack("--no-state", root=project)
    yield stack
    stack.stop()


@pytest.fixture
def connection(stack: Stack) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=30)
    yield connection
    connection.close()


@pytest.fixture
def handler(project: Path) -> Iterator[Path]:
    """The function's source file, to modify."""
    file = project / "functions/api_docs/app.py"
    yield file
    file.write_text(FUNCTION)


def get(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


def assert_problem(response: http.client.HTTPResponse, status: int) -> None:
    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert json.loads(response.read())["status"] == status


def test_connections_stay_open(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    first = connection.sock
    for method, path in (("GET", "/docs"), ("HEAD", "/docs"), ("GET", "/docs?do=raise"), ("GET", "/docs")):
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        assert "Server" not in response.headers
        assert connection.sock is first, f"{method} {path} closed the connection"
        assert method == "GET" or (response.status, body) == (404, b""), "HEAD has no route"


def test_repeated_headers_become_multi_value_headers(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("GET", "/docs?a=1&a=2")
    for value in ("1, 2", "3"):
        connection.putheader("X-Twice", value)
    connection.endheaders()
    event = json.loads(connection.getresponse().read())
    assert event["multiValueHeaders"]["X-Twice"] == ["1, 2", "3"]
    assert event["headers"]["X-Twice"] == "3"
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("raise", r"│ ValueError: a reason$"),
        ("die", r"ApiDocsFunction │ RequestId: \S{36} Error: Runtime exited with error: exit status 1$"),
        ("sleep", r"ApiDocsFunction │ RequestId: \S{36} Task timed out after 1.00 seconds$"),
        ("large", r"Function.ResponseSizeTooLarge: Response payload size \(\d+ bytes\) exceeded"),
        ("malformed", r"Malformed Lambda proxy response: the body is an object, not a string$"),
    ],
)
def test_a_failure_is_a_500_its_reason_is_printed_and_the_next_request_succeeds(
    stack: Stack, connection: http.client.HTTPConnection, what: str, shown: str
) -> None:
    connection.request("GET", f"/docs?do={what}")
    assert_problem(connection.getresponse(), 500)
    stack.wait_for(shown)
    assert get(connection, "/docs")[0] == 200


def test_a_traceback_is_printed_in_one_piece(stack: Stack, connection: http.client.HTTPConnection) -> None:
    for _ in range(5):
        get(connection, "/docs?do=raise")
        get(connection, "/nowhere")
    stack.wait_for("│ ValueError: a reason$")
    lines = [line.partition("│ ")[2] for line in stack.lines]
    starts = [index for index, line in enumerate(lines) if line.startswith("[ERROR] Traceback")]
    assert starts
    for start in starts:
        # Python 3.13 underlines more than 3.11 does.
        report = [line for line in lines[start + 1 : start + 5] if line.strip(" ^~")]
        assert re.match(r'  File ".*/api_docs/app.py", line \d+, in handler', report[0])
        assert report[1:3] == ['    raise ValueError("a reason")', "ValueError: a reason"]


def test_control_characters_are_escaped_in_the_terminal(
    stack: Stack, connection: http.client.HTTPConnection
) -> None:
    get(connection, "/docs?do=print")
    get(connection, "/docs?%0a%1b[2J")
    stack.wait_for(r"│ a\\x1b\[2Jb$")
    stack.wait_for(r"GET    /docs\?…  ApiDocsFunction$")
    assert not [line for line in stack.lines if "\x1b" in line]


def test_a_function_has_its_own_environment_and_timeout(connection: http.client.HTTPConnection) -> None:
    event = json.loads(get(connection, "/docs")[1])
    names = set(event["environment"])
    assert {"AWS_LAMBDA_FUNCTION_NAME", "POWERTOOLS_SERVICE_NAME", "AWS_REGION"} <= names
    assert not {"A_SECRET_OF_THE_SHELL", "TOKEN_SECRET", "USERS_TABLE", "TASKS_TABLE"} & names
    assert 0 < event["remaining"] <= 1000


def test_the_next_request_runs_the_new_code(
    project: Path, handler: Path, connection: http.client.HTTPConnection
) -> None:
    module = project / "shared/greeting.py"
    module.write_text('GREETING = "hello"\n')
    handler.write_text(GREETING)
    assert get(connection, "/docs") == (200, "hello")
    module.write_text('GREETING = "howdy"\n')  # the same size, so that stale bytecode would pass for it
    assert get(connection, "/docs") == (200, "howdy")


def test_broken_code_is_an_error_until_it_is_fixed(
    stack: Stack, handler: Path, connection: http.client.HTTPConnection
) -> None:
    handler.write_text(FUNCTION + "\n)\n")
    connection.request("GET", "/docs")
    assert_problem(connection.getresponse(), 500)
    stack.wait_for("SyntaxError")
    handler.write_text(FUNCTION)
    assert get(connection, "/docs")[0] == 200


def test_backup_files_of_editors_do_not_restart_workers(
    project: Path, connection: http.client.HTTPConnection
) -> None:
    link = project / "shared/.#tokens.py"
    link.symlink_to(f"somebody@nowhere.{os.getpid()}")
    try:
        assert get(connection, "/docs")[0] == 200
    finally:
        link.unlink()


def test_a_changed_template_needs_a_restart(stack: Stack, project: Path) -> None:
    os.utime(project / "template.yaml", (time.time() + 10, time.time() + 10))
    assert stack.wait_for(r"template.yaml has changed; start the stack again")


def test_40_connections_are_served_at_once(stack: Stack) -> None:
    host = stack.url.removeprefix("http://")
    connections = [http.client.HTTPConnection(host, timeout=60) for _ in range(40)]
    for connection in connections:
        connection.request("GET", "/docs")
    assert {connection.getresponse().status for connection in connections} == {200}
    for connection in connections:
        connection.close()
