"""Cold starts: what importing a function takes, as it was built, with Lambda's Python."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from tests.performance.programs import Program, alternative, bare, build, ours, run, say
from tests.performance.report import bars, ratio, table
from tests.unit.test_template import RESOURCES

ROUNDS = 9
API = (
    "ApiDocs",
    "Authorize",
    "CreateTask",
    "CreateUser",
    "DeleteTask",
    "GetTask",
    "ListTasks",
    "Login",
    "UpdateTask",
)


def measure() -> str:
    layer = build()
    functions = [name for name, each in RESOURCES.items() if each["Type"] == "AWS::Serverless::Function"]
    programs: list[Program] = [bare(layer, "floor")]
    programs += [ours(layer, name) for name in sorted(functions)]
    programs += [alternative("Powertools"), alternative("FastApi", REDIS_URL="redis://localhost")]
    results: dict[str, list[dict[str, Any]]] = {program.name: [] for program in programs}
    for number in range(ROUNDS + 1):
        say(f"cold starts, round {number} of {ROUNDS}")
        for program in programs:
            result = run(program)
            if number:  # the first warms the disk's cache
                results[program.name].append(result)
    floor = results["floor"]
    rows, times, memory = [], {}, {}
    for name, measured in results.items():
        # Each against the floor of its own round, because machines are noisy.
        times[name] = statistics.median(
            a["import"] / b["import"] for a, b in zip(measured, floor, strict=True)
        )
        memory[name] = statistics.median(
            a["memory"] / b["memory"] for a, b in zip(measured, floor, strict=True)
        )
        best = min(each["import"] for each in measured)
        rows.append(
            [
                f"**{name}**" if name in API else name,
                ratio(times[name]),
                ratio(memory[name]),
                f"{best * 1000:.0f} ms",
                f"{measured[0]['memory'] / 1e6:.0f} MB",
                measured[0]["modules"],
            ]
        )
    sizes = {"our layers": _size(layer)} | {
        f"{program.name}, its zip": _size(*program.paths) for program in programs[-2:]
    }
    return f"""## Cold start

Each function is imported {ROUNDS} times in a process of its own, in turn with the others, from what `sam build` made; the
alternatives are packaged as `sam build` does by default. *floor* makes a DynamoDB client with boto3 from our layer and
does nothing else; *Powertools* is the API in the style of aws-lambda-handler-cookbook; *FastApi* is FastAPI, Mangum,
SQLAlchemy, asyncpg and redis-py. Functions of the API are in bold. The aim for them is at most 1.30 × the floor.

{table(["function", "time", "memory", "fastest", "memory", "modules"], rows)}
{bars("cold_start_time", "Time to import, in times of the floor", times, limit=("aim", 1.3))}
{bars("cold_start_memory", "Memory after the import, in times of the floor", memory, limit=("aim", 1.3))}
Unzipped, bytecode included: {"; ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items())}.
"""


def _size(*folders: Path) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
