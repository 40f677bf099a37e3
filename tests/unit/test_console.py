"""The console shows any output on its own lines, where it cannot pass for other output."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tools.local import console
from tools.local.log_entries import RequestLogEntry

FORBIDDEN = {chr(code) for code in [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E]} - {"\t", "\n"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
METRIC = st.fixed_dictionaries(
    {"_aws": JSON | st.fixed_dictionaries({"CloudWatchMetrics": JSON | st.lists(
        JSON | st.fixed_dictionaries({"Metrics": JSON | st.lists(
            JSON | st.fixed_dictionaries({"Name": JSON | st.just("count")})
        )})
    )})},
    optional={"count": JSON | st.lists(JSON)},
)  # fmt: skip
ENTRY = st.fixed_dictionaries({"level": JSON, "message": JSON}, optional={"exception": JSON, "x": JSON})


@pytest.fixture(autouse=True)
def metrics_are_shown() -> Iterator[None]:
    yield
    console.configure(metrics=True)


def printed(function: Any, *arguments: Any) -> str:
    output = io.StringIO()
    with redirect_stdout(output):
        function(*arguments)
    return output.getvalue()


def entry(**changes: Any) -> RequestLogEntry:
    fields = {"method": "GET", "path": "/tasks", "status": 200, "seconds": 0.012, "function": "F"}
    return RequestLogEntry(**{**fields, "cache": None, **changes})


def test_a_request_is_one_line() -> None:
    line = printed(console.request, entry(cache="hit"))
    assert line[9:] == "200     12 ms  GET    /tasks  F cache hit\n"


@given(path=st.text(), method=st.text(), cache=st.none() | st.text())
def test_a_client_cannot_forge_lines(path: str, method: str, cache: str | None) -> None:
    output = printed(console.request, entry(path=path, method=method, cache=cache))
    assert output.count("\n") == 1
    assert not FORBIDDEN & set(output)


def test_a_long_path_is_cut_and_secrets_in_its_query_are_left_out() -> None:
    assert len(printed(console.request, entry(path="/" * 100_000))) < 3000
    line = printed(console.request, entry(path="/x?y=2&token=eyJhbGciOi&aPassword", function=None))
    assert line.endswith("GET    /x?y=2&token=…&…  no route\n")


@given(st.text() | JSON.map(json.dumps) | METRIC.map(json.dumps) | ENTRY.map(json.dumps))
def test_a_function_may_print_anything(text: str) -> None:
    output = printed(console.function_line, "F", text)
    assert not FORBIDDEN & set(output)
    assert all(" F │ " in line for line in output.splitlines())


METRICS = '{"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "x"}]}]}'


@pytest.mark.parametrize(
    "text",
    ['{"_aws": 1}', METRICS + "}", METRICS + ', "x": "y"}', METRICS + ', "x": ' + "9" * 400 + "}",
     '{"level": ' + "[" * 100_000, "9" * 10_000],
    ids=["no metrics", "no value", "a text", "a huge number", "deep", "digits"],
)  # fmt: skip
def test_almost_structured_lines_are_shown_unchanged(text: str) -> None:
    assert printed(console.function_line, "F", text) == f"{'F':>27} │ {text}\n"


def test_a_log_entry_is_shown_for_people_on_one_line() -> None:
    message = "created\n12:00:00 200 fine\x1b[2J"
    line = json.dumps({"level": "INFO", "message": message, "task_id": "x", "timestamp": "now"})
    shown = r'│ INFO created\n12:00:00 200 fine\x1b[2J  task_id="x"'
    assert printed(console.function_line, "F", line).endswith(shown + "\n")


def test_a_traceback_in_a_log_entry_keeps_its_lines() -> None:
    line = json.dumps({"level": "ERROR", "message": "m", "exception": "Traceback\n  File\nValueError"})
    rows = [row.partition("│ ")[2] for row in printed(console.function_line, "F", line).splitlines()]
    assert rows == ["ERROR m  ", "Traceback", "  File", "ValueError"]


def test_metrics_can_be_hidden() -> None:
    metric = {"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "Hits"}]}]}, "Hits": [1, 2]}
    assert "metric Hits=3" in printed(console.function_line, "F", json.dumps(metric))
    console.configure(metrics=False)
    assert printed(console.function_line, "F", json.dumps(metric)) == ""
    assert printed(console.function_line, "F", '{"_aws": 1}') != ""


def run(code: str, **variables: str) -> bytes:
    program = f"from tools.local import console\n{code}"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TERM": "xterm", **variables}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout


FAILURE = "console.function_failure('F', 'caf\\u00e9 \\ud800')"


def test_failures_are_red_where_there_are_colors() -> None:
    assert "\x1b[31mcafé \\ud800\x1b[0m".encode() in run(FAILURE, FORCE_COLOR="1")
    assert b"\x1b[31m" not in run(FAILURE, FORCE_COLOR="1", NO_COLOR="1")


def test_a_terminal_without_colors_and_unicode_is_supported() -> None:
    assert run(FAILURE, PYTHONIOENCODING="ascii").endswith(b" caf\\xe9 \\ud800\n")


def test_a_closed_output_is_no_error() -> None:
    code = "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); console.say('x'); os._exit(0)"
    assert run(code) == b""
