"""Whatever is in an event, a function answers or reports it, and raises nothing."""

from __future__ import annotations

import base64
import copy
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.event_sources import UnexpectedEvent
from tests.handlers import LambdaContext, event, load_function
from tests.nightly import often
from tests.template import TEMPLATE, functions_of
from tests.unit.test_event_sources import FOREIGN

FUNCTIONS = functions_of(TEMPLATE).values()
ENDPOINTS = [each.name for each in FUNCTIONS if each.routes]

fuzzed = settings(
    max_examples=often(20, 300),
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
texts = st.text(max_size=40)
NAMES = ["Content-Type", "content-type", "Authorization", "If-Match", "If-None-Match", "Idempotency-Key", "X"]
names = st.sampled_from(NAMES)
json_text = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
).map(repr) | st.text(max_size=200)
form = st.lists(st.tuples(texts, texts), max_size=4).map(
    lambda pairs: "&".join("=".join(pair) for pair in pairs)
)
DEEP_AND_LONG = ["[" * 20_000, '{"title": "' + "x" * 50_000 + '"}']
bodies = st.none() | json_text | form | st.sampled_from(DEEP_AND_LONG)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """What a client decides of an event."""
    headers = draw(st.dictionaries(names, texts, max_size=5))
    query = draw(st.none() | st.dictionaries(texts, st.lists(texts, min_size=1, max_size=3), max_size=3))
    body = draw(bodies)
    is_base64 = body is not None and draw(st.booleans())
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query and {name: values[-1] for name, values in query.items()},
        "multiValueQueryStringParameters": query,
        "body": base64.b64encode(draw(st.binary(max_size=60))).decode() if is_base64 else body,
        "isBase64Encoded": is_base64,
    }


@pytest.fixture(scope="module")
def handlers(empty_aws: object) -> dict[str, Any]:
    return {each.name: load_function(each.name).handler for each in FUNCTIONS}


@pytest.mark.parametrize("name", ENDPOINTS)
@given(request=requests(), parameter=texts)
@fuzzed
def test_an_endpoint_answers_any_request(
    handlers: dict[str, Any], name: str, request: dict[str, Any], parameter: str
) -> None:
    sample = event(name, **request)
    if sample["pathParameters"]:
        sample["pathParameters"] = dict.fromkeys(sample["pathParameters"], parameter)
    answer = handlers[name](sample, LambdaContext())
    assert 200 <= answer["statusCode"] < 500


@given(header=texts | st.sampled_from(["Bearer a.b.c", "bearer " + "x" * 5000, "Basic YTpi"]))
@fuzzed
def test_the_authorizer_denies_any_token_that_is_none(handlers: dict[str, Any], header: str) -> None:
    sample = event("authorize", multiValueHeaders={"Authorization": [header]})
    policy = handlers["authorize"](sample, LambdaContext())["policyDocument"]
    assert policy["Statement"][0]["Effect"] == "Deny"


attributes = st.dictionaries(
    st.sampled_from(["id", "title", "status", "created_at", "updated_at", "created_by", "version", "x"]),
    st.dictionaries(st.sampled_from(["S", "N", "NULL"]), texts, max_size=1),
)


@given(image=attributes)
@fuzzed
def test_a_record_that_cannot_be_read_holds_up_no_other(
    handlers: dict[str, Any], image: dict[str, Any]
) -> None:
    records = copy.deepcopy(event("publish_task_events")["Records"])
    whole = records[0]["dynamodb"]["NewImage"]
    records[0]["dynamodb"]["NewImage"] = {**whole, **image} if "x" in image else image
    assert handlers["publish_task_events"]({"Records": records}, LambdaContext()) == {"batchItemFailures": []}


@given(
    body=json_text
    | st.sampled_from(["", "[]", "{}", '"x"', '{"type": "task.created", "id": "a"}', "[" * 20_000])
)
@fuzzed
def test_a_message_that_cannot_be_read_is_reported(handlers: dict[str, Any], body: str) -> None:
    record = {**event("send_notification")["Records"][0], "body": body}
    answer = handlers["send_notification"]({"Records": [record]}, LambdaContext())
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


@pytest.mark.parametrize("name", [each.name for each in FUNCTIONS])
def test_an_event_from_elsewhere_is_refused_by_name_and_the_next_is_served(
    handlers: dict[str, Any], name: str
) -> None:
    for source, foreign in FOREIGN.items():
        refusal = f"^This function takes .*, and was called with {re.escape(source)}[.]$"
        with pytest.raises(UnexpectedEvent, match=refusal):
            handlers[name](foreign, LambdaContext())
    if name in ENDPOINTS:
        assert handlers[name](event(name), LambdaContext())["statusCode"] < 500
