"""Metric math of alarms, evaluated as CloudWatch does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

FUNCTIONS = {
    "FILL": lambda value, default: default if value is None else value,
    "IF": lambda condition, yes, no: yes if condition else no,
}
"""The functions of metric math that the template's alarms use."""


class Statistic(NamedTuple):
    """A metric, its statistic and its dimensions, as an alarm reads them."""

    metric: str
    statistic: str
    dimensions: dict[str, Any]


def statistics(alarm: Mapping[str, Any]) -> dict[str, Statistic]:
    """An alarm's metrics by id."""
    found = {each["Id"]: each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each}
    return {
        id_: Statistic(
            each["Metric"]["MetricName"],
            each["Stat"],
            {dimension["Name"]: dimension["Value"] for dimension in each["Metric"]["Dimensions"]},
        )
        for id_, each in found.items()
    }


def value_of(id_: str, expressions: Mapping[str, str], values: Mapping[str, float | None]) -> Any:
    """The value that CloudWatch computes for an id."""
    if id_ in values:
        return values[id_]
    expression = expressions[id_]
    names = set(re.findall(r"\b[a-z]\w*", expression))
    known = {name: value_of(name, expressions, values) for name in names}
    return eval(expression, {"__builtins__": {}}, {**FUNCTIONS, **known})  # noqa: S307 (of our own template)


def value_of_alarm(alarm: Mapping[str, Any], values: Mapping[str, float | None]) -> Any:
    """The value that an alarm compares with its threshold, given its metrics by id."""
    expressions = {each["Id"]: each["Expression"] for each in alarm["Metrics"] if "Expression" in each}
    (returned,) = (each["Id"] for each in alarm["Metrics"] if each.get("ReturnData", True))
    return value_of(returned, expressions, values)
