"""The API accepts the requests that its OpenAPI document allows, and returns the responses it describes."""

from __future__ import annotations

import itertools
import json
import re
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from shared.api.idempotency import HEADER, KEY_PATTERN
from shared.api.paging import from_cursor, to_cursor
from shared.api.text import HIDDEN_BEYOND, visible
from shared.tasks.history import HistoryPlace
from shared.tasks.position import Place, Position, Sort
from tests.local_stack import ROOT, Client, Stack, sign_up
from tests.nightly import often

DOCUMENT: dict[str, Any] = json.loads((ROOT / "functions/api_docs/openapi.json").read_text())
# OpenAPI's own links cannot cut a cursor out of a Link header; schemathesis can.
DOCUMENT["paths"]["/tasks"]["get"]["responses"]["200"]["links"]["next"] = {
    "operationId": "list_tasks",
    "parameters": {"query.cursor": "$response.header.Link#regex:cursor=([A-Za-z0-9_-]+)"},
}
schemathesis.openapi.format(
    "cursor",
    st.builds(
        Place,
        st.builds(Position, st.integers(0, 10**18 - 1), st.uuids().map(str)),
        st.integers(0, 99),
    ).map(to_cursor),
)

schemathesis.openapi.format(
    "user-cursor", st.from_regex(r"[a-z0-9_.@-]{3,32}", fullmatch=True).map(to_cursor)
)

schemathesis.openapi.format("history-cursor", st.integers(1, 10**18 - 1).map(HistoryPlace).map(to_cursor))
TRASH_PLACE = r"trash/[0-9]{18}#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
schemathesis.openapi.format("trash-cursor", st.from_regex(TRASH_PLACE, fullmatch=True).map(to_cursor))

schema = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS = schema.config.checks
CHECKS.update(
    included_check_names=["all"],
    excluded_check_names=[
        "max_response_time",  # no test measures time
        "object_level_authorization",  # all users share all tasks
        "unsupported_method",  # API Gateway answers 404 where there is no route, never 405
    ],
)
# A failed precondition does not make a request invalid (RFC 9110, section 13); a malformed tag fails, too.
for check in (CHECKS.positive_data_acceptance, CHECKS.negative_data_rejection):
    check.expected_statuses = [*check.expected_statuses, "412"]

numbers = itertools.count()
quick = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@schema.hook
def filter_body(context: Any, body: Any) -> bool:
    """Leave out bodies whose validity JSON Schema cannot express.

    These have hidden characters beyond U+FFFF, or titles, names or labels that are invisible, or too long
    only because of surrounding white space.
    """
    values = list(body.values()) if isinstance(body, dict) else []
    labels = body.get("labels") if isinstance(body, dict) else None
    labels = [each for each in labels if isinstance(each, str)] if isinstance(labels, list) else []
    texts = [each for each in (*values, *labels) if isinstance(each, str)]
    # Nor can it express that labels must differ in more than case, white space around them and normal form.
    if len({unicodedata.normalize("NFC", each).strip().casefold() for each in labels}) < len(labels):
        return False
    if any(re.search(HIDDEN_BEYOND, text) for text in texts):
        return False
    limited = [(body.get(field), most) for field, most in (("title", 200), ("name", 100))] if values else []
    for text, most in (*limited, *((label, 40) for label in labels)):
        if not isinstance(text, str):
            continue
        trimmed = text.strip()
        try:
            visible(trimmed or "x")
        except ValueError:
            return False
        if len(trimmed) <= most < len(text):
            return False
    return True


@schema.hook
def map_query(context: Any, query: Any) -> Any:
    """Write numbers in decimal digits, as the API requires; JSON Schema cannot express that."""
    if isinstance(query, dict) and isinstance(query.get("created_at"), float):
        return {**query, "created_at": f"{query['created_at']:.6f}"}
    return query


def make_acceptable(case: Any) -> None:
    """Avoid what the document cannot exclude: a reused key, a time in the past, a cursor of another sort."""
    body = case.body if isinstance(case.body, dict) else {}
    valid = {"url": "https://1.1.1.1/tasks", "assignee": "me"}
    if case.meta.generation.mode.is_positive and valid.keys() & body.keys():
        case.body = body = {**body, **{name: valid[name] for name in valid.keys() & body.keys()}}
    if case.meta.generation.mode.is_positive and isinstance(body.get("expires_at"), int | float):
        case.body = {**body, "expires_at": max(body["expires_at"], int(time.time()) + 60)}
    query = case.query if isinstance(case.query, dict) else {}
    if case.path == "/tasks" and case.meta.generation.mode.is_positive and query.get("cursor"):
        sort = Sort(query.get("sort", Sort.CREATED_AT))
        place = from_cursor(query["cursor"], Place.parse)._replace(sort=sort)
        case.query = {**query, "cursor": to_cursor(place)}
    key = case.headers.get(HEADER)
    if isinstance(key, str) and re.fullmatch(KEY_PATTERN, key):
        case.headers[HEADER] = f"{next(numbers)}-{key}"[:255]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Stack]:
    """A separate stack, because fuzzing uses up limits that other tests need, such as 25 webhooks."""
    stack = Stack("--no-state")
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def somebody(fuzzed: Stack) -> Client:
    return sign_up(fuzzed.url)


def options(client: Client) -> dict[str, Any]:
    headers = {"Authorization": str(client.session.headers["Authorization"])}
    return {"base_url": client.url, "headers": headers, "timeout": 30}


@schema.parametrize()
@settings(quick, max_examples=often(15, 100))
def test_responses_are_as_documented(case: Any, somebody: Client) -> None:
    make_acceptable(case)
    case.call_and_validate(**options(somebody))


def test_links_of_the_document_work(somebody: Client) -> None:
    class Following(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return options(somebody)

        def before_call(self, case: Any) -> None:
            make_acceptable(case)
            if case.path == "/auth/create" and case.meta.generation.mode.is_positive:
                # A name that no earlier scenario took, because a scenario must run the same way twice.
                case.body = {**case.body, "username": f"user{next(numbers)}"}

        def teardown(self) -> None:
            for task in somebody("GET", "/tasks?limit=100").json():
                somebody("DELETE", f"/tasks/{task['id']}")

    # Without shrinking and replaying, which need a server that can be reset.
    Following.run(
        settings=settings(quick, max_examples=often(8, 50), stateful_step_count=8, phases=[Phase.generate])
    )
