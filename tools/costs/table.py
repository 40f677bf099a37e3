"""The tables of docs/cost.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tools.costs import prices, usage
from tools.costs.usage import GB, KB, Inventory, Night, Workload


class Cost(NamedTuple):
    """A line of a table."""

    what: str
    how: str
    """The computation."""
    dollars: float


def of_traffic(work: Workload) -> list[Cost]:
    """Cost of a month's requests."""
    requests, asked, background = work.requests, work.authorizations, work.background
    gb_seconds = work.calls * work.milliseconds / 1000 * 0.5
    missed = work.lists * (1 - work.cached)
    stored, notified = usage.CREATE_WRITE_UNITS, usage.NOTIFY_WRITE_UNITS
    reads = (
        work.reads * usage.READ_UNITS + asked * usage.AUTHORIZE_READ_UNITS + missed * usage.LIST_READ_UNITS
    )
    page = usage.PAGE_BYTES / KB
    logs = work.calls * (usage.LOG_BYTES + usage.PLATFORM_LOG_BYTES) / GB
    sent = work.lists * usage.PAGE_BYTES * usage.COMPRESSION / GB
    return [
        Cost(
            "API Gateway",
            f"{_m(requests)} requests × 3.50 / M",
            requests * prices.API_GATEWAY_REQUEST,
        ),
        Cost(
            "Lambda, calls",
            f"({_m(requests)} + {_m(asked)} of `authorize` + {_m(background)} behind the stream) × 0.20 / M",
            work.calls * prices.LAMBDA_CALL,
        ),
        Cost(
            "Lambda, time",
            f"{gb_seconds:,.0f} GB-s × 0.0000133334",
            gb_seconds * prices.LAMBDA_GB_SECOND,
        ),
        Cost(
            "DynamoDB, writes",
            f"{_m(work.creates)} × ({stored} to store + {notified} to notify once) × 0.625 / M",
            work.creates * (stored + notified) * prices.DYNAMODB_WRITE_UNIT,
        ),
        Cost(
            "DynamoDB, reads",
            f"({_m(work.reads)} tasks + {_m(asked)} of `authorize` × {usage.AUTHORIZE_READ_UNITS} "
            f"+ {_m(missed)} lists × {usage.LIST_READ_UNITS}) × 0.125 / M",
            reads * prices.DYNAMODB_READ_UNIT,
        ),
        Cost(
            "SQS",
            f"{_m(work.creates)} × 2 queues × (send, receive, delete) × 0.40 / M",
            work.creates * 2 * 3 * prices.SQS_REQUEST,
        ),
        Cost("EventBridge", f"{_m(work.creates)} events × 1.00 / M", work.creates * prices.EVENTBRIDGE_EVENT),
        Cost(
            "ElastiCache",
            f"{_m(work.lists)} pages × {page:.0f} KB = {_m(work.lists * page)} ECPU × 0.0023 / M",
            work.lists * page * prices.ELASTICACHE_ECPU,
        ),
        Cost("Logs", f"{logs:.1f} GB × 0.50", logs * prices.LOGS_GB),
        Cost("Data transfer", f"{sent:.1f} GB × 0.09", sent * prices.TRANSFER_GB),
    ]


def of_a_month(work: Workload, there: Inventory) -> list[Cost]:
    """Cost of a month without requests."""
    items = work.stored * 1.8 * KB / GB  # the task, its copy in the index, its title, and a change
    look = (
        prices.LAMBDA_CALL
        + usage.REMIND_MILLISECONDS / 1000 * 0.5 * prices.LAMBDA_GB_SECOND
        + usage.REMIND_READ_UNITS * prices.DYNAMODB_READ_UNIT
        + usage.REMIND_WRITE_UNITS * prices.DYNAMODB_WRITE_UNIT
        + usage.PLATFORM_LOG_BYTES / GB * prices.LOGS_GB
    )
    return [
        Cost(
            "ElastiCache",
            "at least 0.1 GB × 730 h × 0.084; nothing with `Cache=disabled`",
            prices.ELASTICACHE_LEAST_GB * prices.HOURS * prices.ELASTICACHE_GB_HOUR,
        ),
        Cost("Alarms", f"{there.alarms} × 0.10", there.alarms * prices.ALARM_MONTH),
        Cost("Secrets Manager", "1 secret", prices.SECRET_MONTH),
        Cost(
            "Reminders",
            f"{_m(usage.MINUTES)} calls, each with {usage.REMIND_READ_UNITS} read units and "
            f"{usage.REMIND_WRITE_UNITS} write unit",
            usage.MINUTES * look,
        ),
        Cost(
            "SQS",
            f"Lambda asks {there.queues} queues {_m(usage.POLLS)} times each × 0.40 / M",
            there.queues * usage.POLLS * prices.SQS_REQUEST,
        ),
        Cost(
            "Storage",
            f"{_m(work.stored)} tasks are {items:.1f} GB × (0.25 + 0.20 for point-in-time recovery)",
            items * (prices.DYNAMODB_GB_MONTH + prices.DYNAMODB_BACKUP_GB_MONTH),
        ),
    ]


def of_options(work: Workload, there: Inventory) -> list[Cost]:
    """Cost of optional features."""
    rules, requests = there.firewall_rules, work.requests
    access_log = requests * usage.ACCESS_LOG_BYTES / GB
    return [
        Cost(
            "SnapStart, as in prod",
            f"{there.snapshot_gb} GB × 2.628 M s × 0.0000015046; besides, 0.00007 for each cold start",
            there.snapshot_gb * prices.SECONDS * prices.SNAPSTART_GB_SECOND,
        ),
        Cost(
            "`Firewall=enabled`",
            f"5.00 + {rules} rules × 1.00 + {_m(requests)} requests × 0.60 / M",
            prices.WAF_ACL_MONTH + rules * prices.WAF_RULE_MONTH + requests * prices.WAF_REQUEST,
        ),
        Cost(
            "`Objectives=enabled`, as in prod",
            f"{there.objective_alarms} alarms × 0.10 + {there.composite_alarms} composite alarms × 0.50 + "
            f"{there.measured_methods} methods × {usage.METHOD_METRICS} metrics × 0.30",
            there.objective_alarms * prices.ALARM_MONTH
            + there.composite_alarms * prices.COMPOSITE_ALARM_MONTH
            + there.measured_methods * usage.METHOD_METRICS * prices.METRIC_MONTH,
        ),
        Cost(
            "`Tracing=Active`",
            f"({_m(work.traces)} of requests + {_m(usage.MINUTES)} of reminders) traces × 5.00 / M",
            (work.traces + usage.MINUTES) * prices.XRAY_TRACE,
        ),
        Cost("`AccessLogs=enabled`", f"{access_log:.1f} GB × 0.50", access_log * prices.LOGS_GB),
        Cost(
            "Metrics",
            f"{there.metrics} × 0.30, by the hour in which they are counted: this is for all hours",
            there.metrics * prices.METRIC_MONTH,
        ),
        Cost("Dashboard", "where the account has more than three", prices.DASHBOARD_MONTH),
    ]


def of_a_night(night: Night) -> list[Cost]:
    """Cost of a night of password guessing from many IP addresses, which no limit per address stops."""
    requests, gb_seconds = night.requests, night.requests * usage.SIGN_IN_MILLISECONDS / 1000
    logs = requests * (usage.LOG_BYTES + usage.PLATFORM_LOG_BYTES) / GB
    return [
        Cost("API Gateway", f"{_m(requests)} requests × 3.50 / M", requests * prices.API_GATEWAY_REQUEST),
        Cost("Lambda, calls", f"{_m(requests)} × 0.20 / M", requests * prices.LAMBDA_CALL),
        Cost(
            "Lambda, time",
            f"{_m(requests)} × {usage.SIGN_IN_MILLISECONDS} ms × 1 GB × 0.0000133334",
            gb_seconds * prices.LAMBDA_GB_SECOND,
        ),
        Cost(
            "DynamoDB",
            f"{_m(requests)} × ({usage.GUESS_WRITE_UNITS} × 0.625 + {usage.SIGN_IN_READ_UNITS} × 0.125) / M",
            requests
            * (
                usage.GUESS_WRITE_UNITS * prices.DYNAMODB_WRITE_UNIT
                + usage.SIGN_IN_READ_UNITS * prices.DYNAMODB_READ_UNIT
            ),
        ),
        Cost("Logs", f"{logs:.1f} GB × 0.50", logs * prices.LOGS_GB),
        Cost(
            "`Firewall=enabled`", f"{_m(requests)} × 0.60 / M, stopped or not", requests * prices.WAF_REQUEST
        ),
    ]


def total(costs: Sequence[Cost]) -> float:
    """Add up a table."""
    return sum(each.dollars for each in costs)


def render(costs: Sequence[Cost], *, with_total: bool) -> str:
    """Render a table in Markdown."""
    lines = ["| | | $ |", "|---|---|---|"]
    lines += [f"| {what} | {how} | {dollars:.2f} |" for what, how, dollars in costs]
    if with_total:
        lines.append(f"| **together** | | **{total(costs):.2f}** |")
    return "\n".join(lines)


def _m(count: float) -> str:
    return f"{count / prices.MILLION:.3g} M"
