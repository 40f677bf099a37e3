"""The template's event source mappings: which queue or stream calls which function, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.local.backends.resources import logical_id
from tools.local.template import Template

if TYPE_CHECKING:
    from moto.events.models import EventPattern


@dataclass(frozen=True)
class EventSourceMapping:
    """Lambda's configuration of a queue or a stream that calls a function.

    The defaults are Lambda's. See
    https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    """

    function: str
    """The function's logical id."""
    source: str
    """The logical id of the queue, or of the table whose stream it is."""
    batch_size: int
    window: float = 0
    """Seconds to wait for a batch to fill."""
    patterns: tuple[EventPattern, ...] = ()
    """An event must match one of these, if there are any."""
    concurrency: int = 1
    """How many batches of a queue the function may have at once; one here, if nothing is said."""
    reports_failures: bool = False
    """Whether the function answers which events of a batch failed."""
    starts_at_latest: bool = False
    """For a stream: whether to skip records written before the stack started."""
    retries: float = float("inf")
    """For a stream: how often a batch that failed is tried again."""
    record_age: float = float("inf")
    """For a stream: the age in seconds at which a record is given up."""
    bisects: bool = False
    """For a stream: whether a batch that failed is split in two."""
    failures: str | None = None
    """For a stream: the logical id of the bucket that keeps records that were given up."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether the function wants this event."""
        return not self.patterns or any(pattern.matches_event(event) for pattern in self.patterns)


def queue_mappings(template: Template) -> list[EventSourceMapping]:
    """Read which queues call functions."""
    return [
        EventSourceMapping(
            function=function,
            source=logical_id(properties["Queue"]),
            batch_size=int(properties.get("BatchSize", 10)),
            concurrency=int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 1)),
            **_common(properties),
        )
        for function, properties in _events(template, "SQS")
    ]


def stream_mappings(template: Template) -> list[EventSourceMapping]:
    """Read which tables' streams call functions."""
    return [
        EventSourceMapping(
            function=function,
            source=logical_id(properties["Stream"]),
            batch_size=int(properties.get("BatchSize", 100)),
            starts_at_latest=properties["StartingPosition"] == "LATEST",
            retries=_limit(properties.get("MaximumRetryAttempts", -1)),
            record_age=_limit(properties.get("MaximumRecordAgeInSeconds", -1)),
            bisects=properties.get("BisectBatchOnFunctionError", False),
            failures=_on_failure(properties),
            **_common(properties),
        )
        for function, properties in _events(template, "DynamoDB")
    ]


def _events(template: Template, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, resource in template.resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            for event in resource["Properties"].get("Events", {}).values():
                if event["Type"] == kind and event["Properties"].get("Enabled", True):
                    yield name, event["Properties"]


def _common(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "window": float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        "patterns": _patterns(properties.get("FilterCriteria", {}).get("Filters", [])),
        "reports_failures": "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
    }


def _patterns(filters: list[dict[str, str]]) -> tuple[EventPattern, ...]:
    if not filters:
        return ()
    from moto.events.models import EventPattern  # slow to import

    return tuple(EventPattern.load(each["Pattern"]) for each in filters)


def _on_failure(properties: Mapping[str, Any]) -> str | None:
    destination = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return None if destination is None else logical_id(destination)


def _limit(value: int) -> float:
    return float("inf") if value == -1 else float(value)
