"""The alarms and the dashboard of the objectives, evaluated on made-up requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.metric_math import statistics, value_of, value_of_alarm
from tests.template import RESOURCES, ROUTES, of_type

BOOK = [(14.4, 3600, 300), (6, 21600, 1800)]
"""Burn rate, long and short window in seconds, of the alarms that page.

See https://sre.google/workbook/alerting-on-slos/, table 5-8.
"""
IN_THE_MORNING = (1, 3 * 86400)
READS, WRITES = ("GET",), ("POST", "PATCH", "DELETE")
OBJECTIVES = {
    "ReadFailures": (READS, 0.001),
    "WriteFailures": (WRITES, 0.001),
    "SlowReads": (READS, 0.01),
    "SlowWrites": (WRITES, 0.01),
}
"""The methods of each objective, and its error budget."""

every_objective = pytest.mark.parametrize("objective", OBJECTIVES)


@dataclass(frozen=True)
class Requests:
    """The requests of a route in a window."""

    count: int = 0
    bad: int = 0
    """Both failed and slow: an objective must ignore the metric that is not its own."""

    def statistic(self, metric: str, statistic: str) -> int | None:
        """Their statistic in CloudWatch; None for a route that nobody called."""
        if not self.count:
            return None
        values = {
            ("5XXError", "Sum"): self.bad,
            ("5XXError", "SampleCount"): self.count,
            ("Latency", "SampleCount"): self.count,
            ("Latency", "TC(:1000)"): self.count - self.bad,  # within 1 s
        }
        return values[metric, statistic]


def properties(alarm: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[alarm]["Properties"]
    return found


def methods_of(alarm: str) -> set[tuple[str, str]]:
    """The methods and paths that an alarm watches."""
    return {
        (dimensions["Method"], dimensions["Resource"])
        for _, _, dimensions in statistics(properties(alarm)).values()
    }


def burn_rate(alarm: str, requests: Mapping[str, Requests]) -> float:
    """An alarm's value, after these requests of each method to every path."""
    found = properties(alarm)
    values = {
        id_: requests.get(dimensions["Method"], Requests()).statistic(metric, statistic)
        for id_, (metric, statistic, dimensions) in statistics(found).items()
    }
    return float(value_of_alarm(found, values))


def fires(alarm: str, requests: Mapping[str, Requests]) -> bool:
    assert properties(alarm)["ComparisonOperator"] == "GreaterThanThreshold"
    return burn_rate(alarm, requests) > properties(alarm)["Threshold"]


def windows(objective: str) -> list[tuple[str, str]]:
    """The pairs of alarms with a long and a short window. Either pair pages."""
    rule = properties(f"{objective}Alarm")["AlarmRule"]["Fn::Sub"]
    pair = r'\(ALARM\("\$\{(\w+)\}"\) AND ALARM\("\$\{(\w+)\}"\)\)'
    assert re.fullmatch(rf"{pair} OR {pair}", rule)
    return re.findall(pair, rule)


def period(alarm: str) -> int:
    (seconds,) = {
        each["MetricStat"]["Period"] for each in properties(alarm)["Metrics"] if "MetricStat" in each
    }
    return int(seconds) * int(properties(alarm)["EvaluationPeriods"])


def alarms_of(objective: str) -> list[str]:
    return [*(alarm for pair in windows(objective) for alarm in pair), f"{objective}3dAlarm"]


@every_objective
def test_windows_and_burn_rates_are_those_of_the_book(objective: str) -> None:
    found = []
    for long, short in windows(objective):
        (threshold,) = {properties(alarm)["Threshold"] for alarm in (long, short)}
        found.append((threshold, period(long), period(short)))
    assert found == BOOK
    slow = f"{objective}3dAlarm"
    assert (properties(slow)["Threshold"], period(slow)) == IN_THE_MORNING


@every_objective
def test_alarms_keep_within_cloudwatchs_limits(objective: str) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    for alarm in alarms_of(objective):
        assert len(properties(alarm)["Metrics"]) <= 10
        assert period(alarm) <= 7 * 86400


@every_objective
@pytest.mark.parametrize("factor", [0.9, 1.1], ids=["slower", "faster"])
def test_an_alarm_fires_when_the_budget_is_spent_faster_than_its_rate(objective: str, factor: float) -> None:
    methods, budget = OBJECTIVES[objective]
    for alarm in alarms_of(objective):
        bad = round(10_000 * budget * properties(alarm)["Threshold"] * factor)
        requests = {method: Requests(10_000, bad) for method in methods}
        assert fires(alarm, requests) is (factor > 1), alarm


@every_objective
def test_one_failed_request_in_a_quiet_night_pages_nobody(objective: str) -> None:
    methods, _ = OBJECTIVES[objective]
    one = {methods[0]: Requests(1, 1)}
    for long, short in windows(objective):
        assert fires(short, one)
        assert not fires(long, one)
    assert not fires(f"{objective}3dAlarm", one)


@every_objective
def test_an_outage_pages_even_with_little_traffic(objective: str) -> None:
    methods, _ = OBJECTIVES[objective]
    hour, minutes = {methods[-1]: Requests(12, 12)}, {methods[-1]: Requests(1, 1)}
    long, short = windows(objective)[0]
    assert fires(long, hour)
    assert fires(short, minutes)


@every_objective
def test_without_requests_no_alarm_fires(objective: str) -> None:
    for alarm in alarms_of(objective):
        assert burn_rate(alarm, {}) == 0
        assert properties(alarm)["TreatMissingData"] == "notBreaching"


@every_objective
def test_an_objective_counts_only_its_own_methods(objective: str) -> None:
    methods, _ = OBJECTIVES[objective]
    others = {method: Requests(100, 100) for method in {*READS, *WRITES} - {*methods}}
    for alarm in alarms_of(objective):
        assert burn_rate(alarm, others) == 0
        assert {method for method, _ in methods_of(alarm)} == {*methods}


def test_methods_with_objectives_have_metrics() -> None:
    """A method without its own metrics is only counted in those of the whole stage."""
    settings = RESOURCES["Api"]["Properties"]["MethodSettings"]
    everything, *measured = settings
    assert (everything["ResourcePath"], everything["HttpMethod"]) == ("/*", "*")
    watched = {method for objective in OBJECTIVES for method in methods_of(f"{objective}3dAlarm")}
    assert watched <= {(route.method, route.path) for route in ROUTES}
    paths = {
        (each["HttpMethod"], each["ResourcePath"].replace("/~1", "/").replace("~1", "/")) for each in measured
    }
    assert paths == watched
    limits = {key: value for key, value in everything.items() if key.startswith("Throttling")}
    assert len(limits) == 2
    for each in measured:  # otherwise it would have no limits
        assert {key: each[key] for key in limits} == limits
        assert each["MetricsEnabled"] == {"Fn::If": ["HasObjectives", True, False]}


def test_objectives_are_optional() -> None:
    names = {alarm for objective in OBJECTIVES for alarm in (*alarms_of(objective), f"{objective}Alarm")}
    assert {RESOURCES[name].get("Condition") for name in names} == {"HasObjectives"}
    conditional = {
        name for name in of_type("AWS::CloudWatch::") if RESOURCES[name].get("Condition") == "HasObjectives"
    }
    assert conditional == names


def budgets_left(requests: Mapping[str, Requests]) -> dict[str, float]:
    """The rest of each error budget on the dashboard, in percent."""
    body = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    (widget,) = (each["properties"] for each in body["widgets"] if "budget" in each["properties"]["title"])
    assert (widget["start"], widget["setPeriodToTimeRange"]) == ("-P30D", True)
    values: dict[str, int | None] = {}
    expressions: dict[str, str] = {}
    labels: dict[str, str] = {}
    before: list[str] = []
    for *names, options in widget["metrics"]:
        if not names:
            expressions[options["id"]] = options["expression"]
            if options.get("visible", True):
                labels[options["id"]] = options["label"]
            continue
        whole = before if names == ["..."] else names
        before = [old if new == "." else new for new, old in zip(whole, before or whole, strict=True)]
        _, metric, *dimensions = before
        chosen = dict(zip(dimensions[::2], dimensions[1::2], strict=True))
        values[options["id"]] = requests.get(chosen["Method"], Requests()).statistic(metric, options["stat"])
    return {label: value_of(id_, expressions, values) for id_, label in labels.items()}


def test_the_dashboard_shows_the_rest_of_each_budget() -> None:
    reads, writes = Requests(10_000, 5), Requests(10_000, 200)
    everything = {**dict.fromkeys(READS, reads), **dict.fromkeys(WRITES, writes)}
    assert budgets_left(everything) == pytest.approx(
        {
            "Reads that succeed": 50,
            "Reads within 1 s": 95,
            "Writes that succeed": -1900,
            "Writes within 1 s": -100,
        }
    )
    assert set(budgets_left({}).values()) == {100}
