"""`make trace`, `make errors` and `make slowest`: run a saved query of a stack."""

from __future__ import annotations

import argparse
import re
import sys
import time
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tools.local import console
from tools.local.errors import LocalStackError
from tools.local.running import LOG, URL, call
from tools.stacks import StackError, text_of

PLACEHOLDER = "<x-request-id>"
"""Placeholder of the request id in the saved query."""
_LOCAL_FIELDS = ("timestamp", "function_name", "level", "status", "message", "exception_name")
_INTERVAL = 0.5
"""Seconds between two polls of a query."""


@dataclass(frozen=True)
class _Query:
    name: str
    """Name of the saved query in AWS, after the stack's name."""
    hours: int
    """Default time range."""
    what: str


QUERIES = {
    "trace": _Query("request", 24, "show all log entries of a request, by the x-request-id of its response"),
    "errors": _Query("errors", 1, "count errors by function"),
    "slowest": _Query("slowest", 1, "list the slowest function calls"),
}


def main() -> int:
    """Run the query; returns the exit status."""
    command, *arguments = sys.argv[1:]
    query = QUERIES[command]
    parser = argparse.ArgumentParser(
        prog=f'make {command} {"ID=… " if command == "trace" else ""}ARGS="…"',
        description=f"{query.what[0].upper()}{query.what[1:]}. Runs the query that Logs Insights "
        f"lists as <stack>/{query.name}.",
    )
    if command == "trace":
        parser.add_argument("id", type=_request_id, help="the x-request-id of a response")
        parser.add_argument(
            "--local",
            metavar="URL",
            nargs="?",
            const=URL,
            help="ask the stack of make run (default: %(const)s)",
        )
    parser.add_argument("--stack-name", default="task-api", help="the stack in AWS", metavar="NAME")
    parser.add_argument(
        "--hours",
        type=_hours,
        default=query.hours,
        metavar="N",
        help="hours to look back (default: %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    try:
        if command == "trace" and chosen.local:
            return _show_local(chosen.local, chosen.id)
        return _run(query, chosen)
    except KeyboardInterrupt:
        return 130
    except (StackError, LocalStackError, BotoCoreError, ClientError) as error:
        print(f"error: {text_of(error)}", file=sys.stderr)
    return 2


def _request_id(text: str) -> str:
    if not re.fullmatch(r"[\w-]+", text, flags=re.ASCII):  # otherwise it could change the query
        raise argparse.ArgumentTypeError(f"{text!r} is not an x-request-id; give one: make trace ID=…")
    return text


def _hours(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,4}", text, flags=re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours; give a whole number from 1")
    return int(text)


def _run(query: _Query, chosen: argparse.Namespace) -> int:
    logs = boto3.client("logs")
    text = _text(logs, f"{chosen.stack_name}/{query.name}")
    rows = _results(logs, chosen, text.replace(PLACEHOLDER, getattr(chosen, "id", PLACEHOLDER)))
    if not rows:
        print(
            f"nothing in the last {chosen.hours} h; log entries arrive some seconds late, and "
            'ARGS="--hours N" looks further back'
        )
        return 1
    _print(rows)
    return 0


def _show_local(url: str, request_id: str) -> int:
    """Show a request of the local stack, with the fields of the saved query."""
    entries = call("GET", url, f"{LOG}/{request_id}")
    if not entries:
        print("nothing: the stack logged no such request since it started, or has dropped it for newer ones")
        return 1
    _print([{name: str(entry[name]) for name in _LOCAL_FIELDS if name in entry} for entry in entries])
    return 0


def _print(rows: list[dict[str, str]]) -> None:
    """Print rows as a table; each row has its fields in the query's order, without the empty ones."""
    names: list[str] = []
    for row in rows:
        place = 0
        for name in row:
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    console.table([names, *([row.get(name, "") for name in names] for row in rows)])


def _text(logs: Any, name: str) -> str:
    """Find the text of a saved query.

    Raises:
        StackError: no query has that name.
    """
    # The stack's state does not matter: its logs are also useful during a deployment or a rollback.
    found = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
    for each in found:
        if each["name"] == name:
            return str(each["queryString"])
    raise StackError(
        f"There is no saved query {name}. Name your stack with ARGS='--stack-name …', or deploy this version."
    )


def _results(logs: Any, chosen: argparse.Namespace, text: str) -> list[dict[str, str]]:
    """Run a query; returns its rows.

    Raises:
        StackError: CloudWatch could not run it.
    """
    now = int(time.time())
    id_ = logs.start_query(
        logGroupName=f"/aws/lambda/{chosen.stack_name}",
        startTime=now - 3600 * chosen.hours,
        endTime=now,
        queryString=text,
    )["queryId"]
    while (result := logs.get_query_results(queryId=id_))["status"] in {"Scheduled", "Running"}:
        time.sleep(_INTERVAL)
    if result["status"] != "Complete":
        raise StackError(f"The query ended with the status {result['status']}. Try again, with fewer hours.")
    return [
        {each["field"]: each["value"].replace("\n", "\\n") for each in row if each["field"] != "@ptr"}
        for row in result["results"]
    ]


if __name__ == "__main__":
    sys.exit(main())
