"""A stack's monthly usage: resources from the template, and calls as tests measure them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

KB, GB = 1_024, 1_024**3

# Usage per call; tests/component/test_costs.py measures each.
CREATE_WRITE_UNITS = 7
"""The task, its title and its history, each twice for the transaction, and the index."""
NOTIFY_WRITE_UNITS = 2
INDEX_WRITE_UNITS = 1
"""Additional, for the index of a due date and for that of an assignee."""
CHECK_WRITE_UNITS = 2
"""Additional, to assign a task: the check that the user exists."""
REMIND_READ_UNITS, REMIND_WRITE_UNITS = 4, 1
"""To check for due tasks: two items, of which one is written, and two queries in each of two partitions."""
REMIND_MILLISECONDS = 30
READ_UNITS = 1
"""To read a task."""
AUTHORIZE_READ_UNITS = 2
"""The user and the session of a token."""
LIST_READ_UNITS = 4.5
"""Per page of 20 tasks from three partitions of the index."""
PAGE_BYTES = 7 * KB
"""Per page of 20 tasks of half a KB."""
LOG_BYTES = 550
"""Per log entry; each call writes one."""

SIGN_IN_READ_UNITS = 2
"""The user, and the counter of attempts."""
GUESS_WRITE_UNITS = 2
"""To count an attempt."""
SIGN_IN_MILLISECONDS = 80
"""Including the password hash, at 1,024 MB."""

# AWS's own usage. These are estimates: compare them with a bill.
ACCESS_LOG_BYTES = 500
"""Per access log entry of the gateway."""
PLATFORM_LOG_BYTES = 900
"""Per call, for Lambda's own log entries: start and report."""
COMPRESSION = 0.3
"""Compressed size of a page, as a share."""
METHOD_METRICS = 5
"""Metrics per method with metrics enabled: requests, 4xx, 5xx, and two latencies."""
MINUTES = 60 * 730
"""Minutes in a month: calls of `remind`."""
POLLS = 15 * MINUTES
"""Lambda's polls of a queue in a month."""


@dataclass(frozen=True)
class Workload:
    """Clients' usage in a month."""

    lists: int = 700_000
    reads: int = 200_000
    creates: int = 100_000
    cached: float = 0.9
    """Share of lists that come from the cache."""
    authorized: float = 0.05
    """Share of requests that call the authorizer; the gateway caches the others' policies."""
    busy_seconds: int = 22 * 8 * 3600
    """Working hours, in which all requests happen."""
    milliseconds: int = 20
    """Duration of a call."""
    stored: int = 1_000_000
    """Number of stored tasks, of half a KB each."""

    @property
    def requests(self) -> int:
        """All requests."""
        return self.lists + self.reads + self.creates

    @property
    def authorizations(self) -> float:
        """Calls of the authorizer."""
        return self.requests * self.authorized

    @property
    def background(self) -> int:
        """Calls by streams and queues: one publishes, two consume the event, one invalidates the cache."""
        return 4 * self.creates

    @property
    def calls(self) -> float:
        """All calls of functions."""
        return self.requests + self.authorizations + self.background

    @property
    def traces(self) -> float:
        """Traces that X-Ray records: for each source, the first per second and 5% of the others."""
        sources = [self.requests, *[self.creates] * 4]
        return sum(_sampled(count, self.busy_seconds) for count in sources)


def _sampled(count: int, seconds: int) -> float:
    """Number of sampled requests, out of `count` at random times within `seconds`."""
    rate = count / seconds
    first = seconds * (1 - math.exp(-rate))  # seconds with at least one request
    return first + 0.05 * (count - first)


@dataclass(frozen=True)
class Night:
    """An attack that guesses passwords of many users from many IP addresses, at the stage's rate limit."""

    hours: int = 8
    rate: int = 200
    """Requests per second: the parameter RateLimit."""

    @property
    def requests(self) -> int:
        """All requests."""
        return self.hours * 3600 * self.rate


@dataclass(frozen=True)
class Inventory:
    """Resources of the template with a monthly price."""

    alarms: int
    """Metrics watched by alarms; each has a price."""
    objective_alarms: int
    """Metrics of the alarms that only `Objectives=enabled` creates."""
    composite_alarms: int
    measured_methods: int
    """API methods with metrics enabled."""
    metrics: int
    snapshot_gb: float
    """Total memory of the functions with SnapStart."""
    firewall_rules: int
    queues: int
    """Queues that call functions."""

    @classmethod
    def of_template(cls, path: Path, metrics: int) -> Inventory:
        """Count a template's resources.

        Args:
            path: The template.
            metrics: Number of the functions' own metrics.
        """
        resources: dict[str, Any] = yaml_parse(path.read_text("utf-8"))["Resources"]
        functions = [
            each["Properties"] for each in resources.values() if each["Type"] == "AWS::Serverless::Function"
        ]
        alarms = [each for each in resources.values() if each["Type"] == "AWS::CloudWatch::Alarm"]
        objectives = [each for each in alarms if each.get("Condition") == "HasObjectives"]
        return cls(
            alarms=sum(_metrics(each) for each in alarms if each not in objectives),
            objective_alarms=sum(map(_metrics, objectives)),
            composite_alarms=sum(
                each["Type"] == "AWS::CloudWatch::CompositeAlarm" for each in resources.values()
            ),
            measured_methods=sum(
                "MetricsEnabled" in method for method in resources["Api"]["Properties"]["MethodSettings"]
            ),
            metrics=metrics,
            snapshot_gb=sum(each.get("MemorySize", 512) for each in functions if "SnapStart" in each) / 1024,
            firewall_rules=len(resources["WebAcl"]["Properties"]["Rules"]),
            queues=sum(
                event["Type"] == "SQS" for each in functions for event in each.get("Events", {}).values()
            ),
        )


def _metrics(alarm: dict[str, Any]) -> int:
    """Number of metrics that an alarm watches."""
    return sum("MetricStat" in metric for metric in alarm["Properties"].get("Metrics", [])) or 1
