"""Where a Lambda event comes from, so that a function that gets another kind says so in one sentence."""

from __future__ import annotations

REST_API = "a proxy event of an API Gateway REST API"
AUTHORIZER = "a REQUEST authorizer event of an API Gateway REST API"
STREAM = "records of a DynamoDB stream"
QUEUE = "messages of an SQS queue"
ROTATION = "a step of a Secrets Manager rotation"
SCHEDULE = "an event of an EventBridge schedule"

_MAX_NAMES = 5
_MAX_NAME = 50


class UnexpectedEvent(Exception):
    """The function does not handle this kind of event."""


def expect(event: object, *sources: str) -> str:
    """Check and return the source of an event.

    Raises:
        UnexpectedEvent: it is none of these.
    """
    found = source_of(event)
    if found not in sources:
        raise UnexpectedEvent(f"This function takes {sources[0]}, and was called with {found}.")
    return found


def source_of(event: object) -> str:
    """Name the source of an event, or describe an event that has none.

    See https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
    """
    match event:
        case {"version": "2.0", "requestContext": _}:
            return "an event of an HTTP API or a function URL (payload format 2.0)"
        case {"version": "1.0", "requestContext": {"resourceId": None}}:  # of a REST API, each route has one
            return "an event of an HTTP API (payload format 1.0)"
        case {"requestContext": {"elb": _}}:
            return "an event of an Application Load Balancer"
        case {"requestContext": {"connectionId": _}}:
            return "an event of a WebSocket API"
        case {"type": "REQUEST", "methodArn": str(), "requestContext": {"requestId": str()}}:
            return AUTHORIZER
        case {"type": "TOKEN", "methodArn": _}:
            return "a TOKEN authorizer event"
        case {"httpMethod": str(), "path": str(), "requestContext": {"requestId": _, "resourcePath": str()}}:
            return REST_API
        case {"Records": []}:
            return "an empty batch"
        case {"Records": [{"dynamodb": {}}, *_]}:
            return STREAM
        case {"Records": [{"eventSource": "aws:sqs", "messageId": _}, *_]}:
            return QUEUE
        case {"Records": [{"eventSource": str(name)} | {"EventSource": str(name)}, *_]}:
            return f"records of {name[:_MAX_NAME]}"
        case {"Step": str(), "SecretId": str(), "ClientRequestToken": str()}:
            return ROTATION
        case {"source": "aws.events"}:
            return SCHEDULE
        case {"source": str(name), "detail-type": _}:
            return f"an EventBridge event of {name[:_MAX_NAME]}"
        case {}:
            return _object(event)  # type: ignore[arg-type]
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str() | int() | float():
            return "a text" if isinstance(event, str) else "a number"
        case _:
            return "a list"


def _object(event: dict[str, object]) -> str:
    names = [str(name)[:_MAX_NAME] for name in event]
    if not names:
        return "an empty object"
    more = " and more" if len(names) > _MAX_NAMES else ""
    return f"an object that has {', '.join(names[:_MAX_NAMES])}{more}"
