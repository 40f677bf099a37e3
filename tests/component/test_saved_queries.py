"""`make trace`, `make errors` and `make slowest`, and the saved queries that they run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.template import RESOURCES, of_type
from tools.logs import __main__ as command

NOW = 1_764_500_000
REQUEST = "5f0c9a52-7a1e-4d0b-9c57-0f3f3a1f6d20"
QUERIES = {
    RESOURCES[name]["Properties"]["Name"]["Fn::Sub"].rpartition("/")[2]: RESOURCES[name]["Properties"]
    for name in of_type("AWS::Logs::QueryDefinition")
}
OF_LAMBDA = {"record", "requestId", "metrics", "durationMs", "initDurationMs", "errorType"}
"""Fields of Lambda's own log entries. See
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """A stub of CloudWatch Logs, which validates requests by the model of its API."""
    client = boto3.client("logs", region_name="us-east-1")
    monkeypatch.setattr(command, "boto3", SimpleNamespace(client=lambda _service: client))
    monkeypatch.setattr(command, "time", SimpleNamespace(time=lambda: NOW + 0.5, sleep=lambda _seconds: None))
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["logs", *arguments])
        try:
            status = command.main()
        except SystemExit as end:  # raised by argparse
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return run


def saved(logs: Stubber, stack: str, *names: str) -> None:
    found = [
        {"name": f"{stack}/{name}", "queryString": QUERIES[name.removesuffix("2")]["QueryString"]}
        for name in names
    ]
    logs.add_response("describe_query_definitions", {"queryDefinitions": found})


def started(logs: Stubber, stack: str, text: str, hours: int) -> None:
    expected = {
        "logGroupName": f"/aws/lambda/{stack}",
        "startTime": NOW - 3600 * hours,
        "endTime": NOW,
        "queryString": text,
    }
    logs.add_response("start_query", {"queryId": "q"}, expected)


def ended(logs: Stubber, *rows: dict[str, str], status: str = "Complete") -> None:
    results = [
        [{"field": field, "value": value} for field, value in {**row, "@ptr": "x"}.items()] for row in rows
    ]
    logs.add_response("get_query_results", {"status": status, "results": results}, {"queryId": "q"})


def test_a_trace_runs_the_saved_query_of_the_stack(logs: Stubber, run: Run) -> None:
    saved(logs, "mine", "request2", "request")
    text = QUERIES["request"]["QueryString"]
    assert text.count(command.PLACEHOLDER) == 1
    started(logs, "mine", text.replace(command.PLACEHOLDER, REQUEST), 24)
    ended(logs, status="Running")
    ended(
        logs,
        {
            "@timestamp": "2026-11-30 12:00:00.000",
            "function": "PublishTaskEvents",
            "message": "event published",
        },
        {
            "@timestamp": "2026-11-30 12:00:00.001",
            "function": "CreateTask",
            "status": "201",
            "message": "answered",
        },
        {
            "@timestamp": "2026-11-30 12:00:01.000",
            "function": "SendNotification",
            "message": "two\nlines\x1b",
        },
    )
    assert run("trace", REQUEST, "--stack-name", "mine") == (
        0,
        "  @timestamp               function           status  message\n"
        "  2026-11-30 12:00:00.000  PublishTaskEvents          event published\n"
        "  2026-11-30 12:00:00.001  CreateTask         201     answered\n"
        "  2026-11-30 12:00:01.000  SendNotification           two\\nlines\\x1b\n",
        "",
    )


@pytest.mark.parametrize("name", ["errors", "slowest"])
def test_other_queries_cover_the_last_hour_or_the_given_hours(logs: Stubber, run: Run, name: str) -> None:
    for arguments, hours in (((), 1), (("--hours", "48"), 48)):
        saved(logs, "task-api", name)
        started(logs, "task-api", QUERIES[name]["QueryString"], hours)
        ended(logs, {"function": "CreateTask"})
        assert run(name, *arguments) == (0, "  function\n  CreateTask\n", "")


def test_an_empty_result_is_reported(logs: Stubber, run: Run) -> None:
    saved(logs, "task-api", "request")
    started(logs, "task-api", QUERIES["request"]["QueryString"].replace(command.PLACEHOLDER, REQUEST), 24)
    ended(logs)
    status, out, err = run("trace", REQUEST)
    assert (status, err) == (1, "")
    assert out.startswith("nothing in the last 24 h")


def test_a_stack_without_the_query_is_named(logs: Stubber, run: Run) -> None:
    saved(logs, "task-api", "request2")
    status, out, err = run("trace", REQUEST)
    assert (status, out) == (2, "")
    assert err.startswith("error: There is no saved query task-api/request. Name your stack")


def test_a_failed_query_is_reported(logs: Stubber, run: Run) -> None:
    saved(logs, "task-api", "errors")
    started(logs, "task-api", QUERIES["errors"]["QueryString"], 1)
    ended(logs, status="Timeout")
    assert run("errors") == (
        2,
        "",
        "error: The query ended with the status Timeout. Try again, with fewer hours.\n",
    )


@pytest.mark.parametrize("text", ["", 'x" or 1 = 1 #', "a|b", "é"])
def test_an_invalid_request_id_is_refused(run: Run, text: str) -> None:
    status, _, err = run("trace", text)
    assert status == 2
    assert "give one: make trace ID=…" in err


def test_a_trace_reports_that_no_local_stack_runs(run: Run) -> None:
    status, out, err = run("trace", REQUEST, "--local", "http://127.0.0.1:9")
    assert (status, out) == (2, "")
    assert err == "error: no local stack answers at http://127.0.0.1:9: start it with make run\n"


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_uses_only_logged_fields(
    name: str, invoke: Callable[..., dict[str, Any]], log: Callable[[], list[dict[str, Any]]]
) -> None:
    """CloudWatch Logs Insights reports no unknown field: it returns nothing for it."""
    invoke("get_task")
    (entry,) = log()
    text = re.sub(r'"[^"]*"|/.*/', "", QUERIES[name]["QueryString"])
    words = set(re.findall(r"(?<![@\w])[A-Za-z]\w*", text))
    named = set(re.findall(r"\bas (\w+)", text)) | {"function"}  # function is a parsed field, too
    syntax = set(re.findall(r"\b(\w+)\(", text)) | {
        *("as", "by", "desc", "fields", "filter", "in", "limit", "or", "parse", "sort", "stats")
    }
    setting = RESOURCES["Api"]["Properties"]["AccessLogSetting"]["Fn::If"][1]
    access_log = json.loads(setting["Format"]).keys()
    known = entry.keys() | access_log | OF_LAMBDA | {"exception_name"}
    assert words - named - syntax <= known


def test_queries_read_the_log_group_of_all_functions() -> None:
    assert QUERIES.keys() == {query.name for query in command.QUERIES.values()}
    assert all(query["LogGroupNames"] == [{"Ref": "LogGroup"}] for query in QUERIES.values())
