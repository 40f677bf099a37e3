"""Alarms that page without an objective, evaluated on made-up minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.metric_math import statistics, value_of_alarm
from tests.template import RESOURCES

Minute = Mapping[str, float]
"""The values that CloudWatch gets in a minute, by metric; none of a metric that is absent."""

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {"Maximum": max, "Minimum": min, "Sum": sum}


def fires(alarm: str, minutes: Sequence[Minute]) -> bool:
    """Whether an alarm fires after these minutes, which are as many as it evaluates."""
    properties = RESOURCES[alarm]["Properties"]
    (seconds,) = {each["MetricStat"]["Period"] for each in properties["Metrics"] if "MetricStat" in each}
    length = seconds // 60
    periods = [minutes[start : start + length] for start in range(0, len(minutes), length)]
    assert len(periods) == properties["EvaluationPeriods"]
    assert "DatapointsToAlarm" not in properties, "with it, not every period has to breach the threshold"
    return all(beyond_threshold(properties, period) for period in periods)


def beyond_threshold(alarm: Mapping[str, Any], minutes: Sequence[Minute]) -> bool:
    values: dict[str, float | None] = {}
    for id_, (metric, statistic, _) in statistics(alarm).items():
        data = [minute[metric] for minute in minutes if metric in minute]
        values[id_] = STATISTICS[statistic](data) if data else None
    try:
        value = value_of_alarm(alarm, values)
    except TypeError:  # an expression over a missing metric has no value
        return bool(alarm["TreatMissingData"] == "breaching")
    compare = {
        "GreaterThanThreshold": value > alarm["Threshold"],
        "LessThanThreshold": value < alarm["Threshold"],
    }
    return compare[alarm["ComparisonOperator"]]


def calls(count: int, failed: int = 0) -> Minute:
    """The metrics of a function; Lambda publishes none without calls."""
    return {"Invocations": count, "Errors": failed} if count else {}


WORKS, FAILS, SLEEPS = calls(1), calls(1, failed=1), calls(0)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([WORKS] * 10, False),
        ([FAILS] * 10, True),
        ([SLEEPS] * 10, True),
        ([FAILS, SLEEPS] * 5, True),
        ([FAILS] * 9 + [WORKS], False),
        ([WORKS] * 5 + [FAILS] * 5, False),
    ],
    ids=["works", "fails", "sleeps", "fails and sleeps", "works again", "fails for five minutes"],
)
def test_failing_reminders_page_as_stopped_ones_do(minutes: list[Minute], expected: bool) -> None:
    assert fires("RemindersStoppedAlarm", minutes) is expected


def queue(visible: int = 0, in_flight: int = 0, sent: int = 0) -> Minute:
    return {
        "ApproximateNumberOfMessagesVisible": visible,
        "ApproximateNumberOfMessagesNotVisible": in_flight,
        "NumberOfMessagesDeleted": sent,
    }


EMPTY = queue()
UNSENT = {name: value for name, value in queue(visible=5).items() if name != "NumberOfMessagesDeleted"}


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([EMPTY] * 15, False),
        ([{}] * 15, False),
        ([queue(visible=100, in_flight=20, sent=50)] * 15, False),
        ([queue(in_flight=1), EMPTY, EMPTY, EMPTY, queue(sent=1)] * 3, False),
        ([queue(in_flight=1, sent=1)] * 15, False),
        ([queue(in_flight=3), queue(in_flight=3), queue(visible=3)] * 5, True),
        ([queue(in_flight=3)] * 15, True),
        ([queue(visible=5)] * 15, True),
        ([UNSENT] * 15, True),
        ([queue(in_flight=3)] * 14 + [queue(sent=3)], False),
    ],
    ids=[
        "nothing waits",
        "no data",
        "much is sent",
        "little is sent",
        "one fails while others are sent",
        "the sender fails",
        "the sender hangs",
        "nobody takes them",
        "nobody takes them, and NumberOfMessagesDeleted has no data",
        "the sender is back in time",
    ],
)
def test_waiting_notifications_page_while_none_is_sent(minutes: list[Minute], expected: bool) -> None:
    assert fires("NotificationsAgeAlarm", minutes) is expected


def test_an_alarm_watches_what_it_is_named_after() -> None:
    for alarm, dimension in (
        ("RemindersStoppedAlarm", {"FunctionName": {"Ref": "RemindFunction"}}),
        ("NotificationsAgeAlarm", {"QueueName": {"Fn::GetAtt": ["NotificationsQueue", "QueueName"]}}),
    ):
        watched = statistics(RESOURCES[alarm]["Properties"]).values()
        assert all(each.dimensions == dimension for each in watched), alarm
