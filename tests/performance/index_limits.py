"""Past one machine: where the status index saturates, by a simulation of DynamoDB's published limits."""

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

A simulation, not a measurement: of {
        SECONDS
    } s in which new tasks of up to 1 KB come at a rate. Each is one write unit of
the partition of the index that `StatusShards` gives it, and a partition takes {
        PARTITION_LIMIT:,} a second. That the tasks
of a partition are in the order of their creation keeps DynamoDB from splitting it, and the capacity saved up before is
left out, because it is spent within minutes. What the index does not take, the table does not take either. A change of
status is two units, one in each of two partitions.

{table(["shards", "most without throttling", *(f"{rate:,} / s" for rate in RATES)], rows)}
{
        lines(
            "index_limits",
            "New tasks a second that are taken, of those that come",
            RATES,
            {f"{shards} shard{'s' * (shards > 1)}": rates for shards, rates in accepted.items()},
            x_title="new tasks a second that come",
        )
    }"""


@cache
def _arrivals(shards: int) -> list[int]:
    """The shards of many new tasks, in the order they come."""
    spread = StatusShards(shards, shards)
    source = random.Random(SEED)  # noqa: S311 (a simulation that can be repeated)
    numbers = {key: number for number, key in enumerate(spread.partition_keys(TaskStatus.PENDING))}
    ids = (str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(TASKS))
    return [numbers[spread.partition_key(TaskStatus.PENDING, task_id)] for task_id in ids]


def _accepted(rate: int, shards: int) -> float:
    """How many of the tasks that come are taken a second; what is refused waits and is tried again."""
    waiting = [0] * shards
    taken = 0
    for second in range(SECONDS):
        start = second * rate % (TASKS - rate)
        for shard, coming in Counter(_arrivals(shards)[start : start + rate]).items():
            waiting[shard] += coming
        for shard in range(shards):
            now = min(waiting[shard], PARTITION_LIMIT)
            taken += now
            # Who waits gives up in the end: more than a second's worth is turned away.
            waiting[shard] = min(waiting[shard] - now, PARTITION_LIMIT)
    return taken / SECONDS


def _highest(shards: int) -> int:
    """The highest rate, in steps of a fiftieth, of which next to nothing is turned away."""
    step = shards * PARTITION_LIMIT // 50
    rate = step
    while _accepted(rate + step, shards) > 0.999 * (rate + step):
        rate += step
    return rate
