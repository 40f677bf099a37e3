"""Functions answer or report any event of their own source, and refuse those of other sources by name."""

from __future__ import annotations

import base64
import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.event_sources import UnexpectedEvent
from tests.handlers import LambdaContext, context_of, event, load_function
from tests.nightly import often
from tests.template import TEMPLATE, functions_of
from tests.unit.test_event_sources import FOREIGN

FUNCTIONS = functions_of(TEMPLATE).values()
ENDPOINTS = [each.name for each in FUNCTIONS if each.routes]
NAMES = ["Content-Type", "content-type", "Authorization", "If-Match", "If-None-Match", "Idempotency-Key", "X"]

fuzzed = settings(max_examples=often(20, 300), derandomize=True)
texts = st.text(max_size=40)
json_texts = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
).map(json.dumps)
forms = st.lists(st.tuples(texts, texts).map("=".join), max_size=4).map("&".join)
deep_and_long = st.sampled_from(["[" * 20_000, '{"title": "' + "x" * 50_000 + '"}'])
bodies = st.none() | json_texts | st.text(max_size=200) | forms | deep_and_long
base64_bodies = st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode())
encoded_bodies = st.tuples(st.just(False), bodies) | st.tuples(st.just(True), base64_bodies)
headers = st.dictionaries(st.sampled_from(NAMES), texts, max_size=5)
queries = st.none() | st.dictionaries(texts, st.lists(texts, min_size=1, max_size=3), max_size=3)


@pytest.fixture(scope="module")
def handlers(empty_aws: object) -> dict[str, Any]:
    return {each.name: load_function(each.name).handler for each in FUNCTIONS}


@pytest.mark.parametrize("name", ENDPOINTS)
@given(headers=headers, query=queries, encoded_body=encoded_bodies, parameter=texts)
@fuzzed
def test_an_endpoint_answers_any_request(
    handlers: dict[str, Any],
    name: str,
    headers: dict[str, str],
    query: dict[str, list[str]] | None,
    encoded_body: tuple[bool, str | None],
    parameter: str,
) -> None:
    is_base64, body = encoded_body
    lines = {name: [value] for name, value in headers.items()}
    request = {"multiValueHeaders": lines, "multiValueQueryStringParameters": query}
    sample = event(name, **request, body=body, isBase64Encoded=is_base64)
    if sample["pathParameters"]:
        sample["pathParameters"] = dict.fromkeys(sample["pathParameters"], parameter)
    answer = handlers[name](sample, context_of(name))
    assert 200 <= answer["statusCode"] < 500


@given(header=texts | st.sampled_from(["Bearer a.b.c", "bearer " + "x" * 5000, "Basic YTpi"]))
@fuzzed
def test_the_authorizer_denies_any_invalid_token(handlers: dict[str, Any], header: str) -> None:
    sample = event("authorize", multiValueHeaders={"Authorization": [header]})
    policy = handlers["authorize"](sample, LambdaContext())["policyDocument"]
    assert policy["Statement"][0]["Effect"] == "Deny"


attributes = st.dictionaries(
    st.sampled_from(["id", "title", "status", "created_at", "updated_at", "created_by", "version", "x"]),
    st.dictionaries(st.sampled_from(["S", "N", "NULL"]), texts, max_size=1),
)


@given(image=attributes)
@fuzzed
def test_an_unreadable_record_does_not_block_others(handlers: dict[str, Any], image: dict[str, Any]) -> None:
    records = copy.deepcopy(event("publish_task_events")["Records"])
    whole = records[0]["dynamodb"]["NewImage"]
    records[0]["dynamodb"]["NewImage"] = {**whole, **image} if "x" in image else image
    assert handlers["publish_task_events"]({"Records": records}, LambdaContext()) == {"batchItemFailures": []}


@pytest.mark.parametrize("name", ["send_notification", "fan_out_webhooks", "deliver_webhook"])
@given(body=json_texts | st.sampled_from(["", '{"type": "task.created", "id": "a"}', "[" * 20_000]))
@fuzzed
def test_an_unreadable_message_is_reported(handlers: dict[str, Any], name: str, body: str) -> None:
    record = {**event(name)["Records"][0], "body": body}
    answer = handlers[name]({"Records": [record]}, context_of(name))
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


@pytest.mark.parametrize("name", [each.name for each in FUNCTIONS])
def test_an_event_of_another_source_is_refused_by_name_and_the_next_is_served(
    handlers: dict[str, Any], name: str
) -> None:
    for source, foreign in FOREIGN.items():
        refusal = f"^This function takes .*, and was called with {re.escape(source)}[.]$"
        with pytest.raises(UnexpectedEvent, match=refusal):
            handlers[name](foreign, LambdaContext())
    if name in ENDPOINTS:
        assert handlers[name](event(name), LambdaContext())["statusCode"] < 500
