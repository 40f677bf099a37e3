"""Past one machine: where the status index saturates, simulated with DynamoDB's published limits."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from functools import cache

from shared.tasks.indexes import StatusShards
from shared.tasks.task import TaskStatus
from tests.performance.report import lines, table

PARTITION_LIMIT = 1_000
"""Write units a second that one partition takes. See
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"""
RATES = (125, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
SHARDS = (1, 2, 4, 8, 16)
SECONDS = 30
TASKS = 100_000
SEED = 1


def measure() -> str:
    accepted = {shards: [_accepted(rate, shards) for rate in RATES] for shards in SHARDS}
    rows = [
        [shards, f"{_highest(shards):,}", *(f"{rate:,.0f}" for rate in rates)]
        for shards, rates in accepted.items()
    ]
    return f"""Past one machine

A simulation, not a measurement: for {
        SECONDS
    } s, new tasks of up to 1 KB arrive at a constant rate. Each takes one write unit in
the index partition that `StatusShards` gives it, and a partition accepts {
        PARTITION_LIMIT:,} units a second. DynamoDB does not
split such a partition, because its tasks are ordered by creation time. Burst capacity is left out, because it is spent
within minutes. Writes that the index throttles are throttled in the table, too. A change of status takes two units, one in
each of two partitions.

{table(["shards", "most without throttling", *(f"{rate:,} / s" for rate in RATES)], rows)}
{
        lines(
            "index_limits",
            "Accepted tasks per second, by arriving tasks per second",
            RATES,
            {f"{shards} shard{'s' * (shards > 1)}": rates for shards, rates in accepted.items()},
            x_title="new tasks a second that come",
        )
    }"""


@cache
def _arrivals(shards: int) -> list[int]:
    """The shards of many new tasks, in the order they arrive."""
    spread = StatusShards(shards, shards)
    source = random.Random(SEED)  # noqa: S311 (repeatable, not secret)
    numbers = {key: number for number, key in enumerate(spread.partition_keys(TaskStatus.PENDING))}
    ids = (str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(TASKS))
    return [numbers[spread.partition_key(TaskStatus.PENDING, task_id)] for task_id in ids]


def _accepted(rate: int, shards: int) -> float:
    """How many of the arriving tasks are accepted per second; throttled ones wait and are retried."""
    waiting = [0] * shards
    taken = 0
    for second in range(SECONDS):
        start = second * rate % (TASKS - rate)
        for shard, coming in Counter(_arrivals(shards)[start : start + rate]).items():
            waiting[shard] += coming
        for shard in range(shards):
            now = min(waiting[shard], PARTITION_LIMIT)
            taken += now
            # Clients give up in the end: no more than a second's worth of tasks waits.
            waiting[shard] = min(waiting[shard] - now, PARTITION_LIMIT)
    return taken / SECONDS


def _highest(shards: int) -> int:
    """The highest rate, in steps of a fiftieth, at which almost all tasks are accepted."""
    step = shards * PARTITION_LIMIT // 50
    rate = step
    while _accepted(rate + step, shards) > 0.999 * (rate + step):
        rate += step
    return rate
