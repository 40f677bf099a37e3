"""Events are named by their source, and anything else is described."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event_sources import AUTHORIZER, QUEUE, REST_API, ROTATION, SCHEDULE, STREAM, source_of
from tests.handlers import event
from tests.template import TEMPLATE, functions_of

HTTP_API: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "GET /tasks",
    "rawPath": "/tasks",
    "requestContext": {"http": {"method": "GET", "path": "/tasks"}, "requestId": "1"},
}
REST = event("list_tasks")
OLDER_HTTP_API = {**REST, "version": "1.0", "requestContext": {**REST["requestContext"], "resourceId": None}}
FOREIGN: dict[str, Any] = {
    "an event of an HTTP API or a function URL (payload format 2.0)": HTTP_API,
    "an event of an HTTP API (payload format 1.0)": OLDER_HTTP_API,
    "an event of an Application Load Balancer": {
        "requestContext": {"elb": {"targetGroupArn": "arn:x"}},
        "httpMethod": "GET",
        "path": "/tasks",
    },
    "an event of a WebSocket API": {"requestContext": {"connectionId": "1", "eventType": "CONNECT"}},
    "a TOKEN authorizer event": {"type": "TOKEN", "methodArn": "arn:x", "authorizationToken": "Bearer x"},
    "records of aws:s3": {"Records": [{"eventSource": "aws:s3", "s3": {}}]},
    "records of aws:sns": {"Records": [{"EventSource": "aws:sns", "Sns": {}}]},
    "an EventBridge event of acme.orders": {"source": "acme.orders", "detail-type": "x", "detail": {}},
    "an object that has key1, key2, key3": {"key1": "a", "key2": "b", "key3": "c"},
    "an empty batch": {"Records": []},
    "an empty object": {},
    "a list": [],
    "null": None,
    "a text": "x",
    "a number": 1,
}
SOURCES = {
    "authorize": AUTHORIZER,
    "deliver_webhook": QUEUE,
    "fan_out_webhooks": QUEUE,
    "invalidate_task_cache": STREAM,
    "publish_task_events": STREAM,
    "purge_history": QUEUE,
    "remind": SCHEDULE,
    "rotate_token_key": ROTATION,
    "send_notification": QUEUE,
}


@pytest.mark.parametrize("function", functions_of(TEMPLATE))
def test_each_sample_event_has_its_source(function: str) -> None:
    assert source_of(event(function)) == SOURCES.get(function, REST_API)


def test_a_schedule_has_its_source() -> None:
    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    assert source_of(scheduled) == SCHEDULE


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=1000), inner),
        max_leaves=10,
    )
)
def test_any_event_has_a_short_name(event: object) -> None:
    assert 0 < len(source_of(event)) < 400


def test_a_proxy_event_with_a_format_version_is_accepted() -> None:
    context = {**REST["requestContext"], "resourceId": "abc123"}
    assert source_of({**REST, "version": "1.0", "requestContext": context}) == REST_API
