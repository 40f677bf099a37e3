"""What a month of a stack uses: of the template what is there, and of the functions what tests measure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

KB, GB = 1_024, 1_024**3

# What a call takes; tests/component/test_costs.py measures each.
CREATE_WRITE_UNITS = 7
"""The task, its title and its history, twice in a transaction, and the index."""
NOTIFY_WRITE_UNITS = 2
INDEX_WRITE_UNITS = 1
"""More, for a task with a due date and for one that is assigned, in the index of these."""
CHECK_WRITE_UNITS = 2
"""More, to assign a task: the check that the user is there."""
REMIND_READ_UNITS, REMIND_WRITE_UNITS = 4, 1
"""To look whether something is due: in two items, of which one is written, and twice in two partitions."""
REMIND_MILLISECONDS = 30
READ_UNITS = 1
"""To read a task."""
AUTHORIZE_READ_UNITS = 2
"""The user and the session of a token."""
LIST_READ_UNITS = 4.5
"""For a page of 20 tasks from three partitions of the index."""
PAGE_BYTES = 7 * KB
"""Of a page of 20 tasks of half a KB."""
LOG_BYTES = 550
"""Of the entry that each call writes."""

SIGN_IN_READ_UNITS = 2
"""The user, and the counter of attempts."""
GUESS_WRITE_UNITS = 2
"""To count an attempt."""
SIGN_IN_MILLISECONDS = 80
"""With a password to hash, at 1,024 MB."""

# What AWS adds. These are estimates: compare them with a bill.
ACCESS_LOG_BYTES = 500
"""Of an entry of the gateway."""
PLATFORM_LOG_BYTES = 900
"""Of Lambda's own entries about a call: start and report."""
COMPRESSION = 0.3
"""Of a page, compressed."""
METHOD_METRICS = 5
"""Of a method that API Gateway measures by itself: requests, 4xx, 5xx, and two latencies."""
MINUTES = 60 * 730
"""Of a month: calls of `remind`."""
POLLS = 15 * MINUTES
"""Of a queue, by Lambda, in a month."""


@dataclass(frozen=True)
class Workload:
    """What clients do in a month."""

    lists: int = 700_000
    reads: int = 200_000
    creates: int = 100_000
    cached: float = 0.9
    """The share of lists that come from the cache."""
    authorized: float = 0.05
    """The share of requests whose token is checked by the function; the gateway remembers the others'."""
    busy_seconds: int = 22 * 8 * 3600
    """In which all of that happens: the working hours."""
    milliseconds: int = 20
    """That a call takes."""
    stored: int = 1_000_000
    """Tasks in the table, of half a KB."""

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
        """Calls behind streams and queues: one publishes, two look at the event, and one tells the cache."""
        return 4 * self.creates

    @property
    def calls(self) -> float:
        """All calls of functions."""
        return self.requests + self.authorizations + self.background

    @property
    def traces(self) -> float:
        """Traces that X-Ray records: of each source the first in every second, and 5 of 100 others."""
        sources = [self.requests, *[self.creates] * 4]
        return sum(_sampled(count, self.busy_seconds) for count in sources)


def _sampled(count: int, seconds: int) -> float:
    """How many of `count` requests, spread at random over so many seconds, are sampled."""
    rate = count / seconds
    first = seconds * (1 - math.exp(-rate))  # seconds in which there is any
    return first + 0.05 * (count - first)


@dataclass(frozen=True)
class Night:
    """Somebody guesses passwords, from many addresses and at many names, as fast as the stage lets them."""

    hours: int = 8
    rate: int = 200
    """Requests a second: the parameter RateLimit."""

    @property
    def requests(self) -> int:
        """All requests."""
        return self.hours * 3600 * self.rate


@dataclass(frozen=True)
class Inventory:
    """What of the template is paid for by the month."""

    alarms: int
    """Metrics of alarms: each is paid for."""
    objective_alarms: int
    """Metrics of the alarms that only `Objectives=enabled` makes."""
    composite_alarms: int
    measured_methods: int
    """Methods of the API with metrics of their own."""
    metrics: int
    snapshot_gb: float
    """Of the functions that start from snapshots."""
    firewall_rules: int
    queues: int
    """Queues that call functions."""

    @classmethod
    def of_template(cls, path: Path, metrics: int) -> Inventory:
        """Count what a template declares.

        Args:
            path: The template.
            metrics: How many metrics the functions count.
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
    """How many metrics an alarm watches."""
    return sum("MetricStat" in metric for metric in alarm["Properties"].get("Metrics", [])) or 1
