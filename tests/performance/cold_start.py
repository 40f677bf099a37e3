"""Cold starts: what importing a function takes, as it was built, with Lambda's Python."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.performance.programs import (
    BUILT,
    Program,
    alternative,
    bare,
    build,
    ours,
    put_back,
    run,
    say,
    with_bytecode,
)
from tests.performance.report import bars, ratio, table
from tests.template import RESOURCES

ROUNDS = 11
AIM = 1.3
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
LEFT_OUT = {
    "boto3": "import boto3",
    "pydantic, and the body of POST /tasks as a model": """
from typing import Annotated, Literal
from pydantic import BaseModel, ConfigDict, StringConstraints
class NewTask(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    description: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    status: Literal["PENDING", "IN_PROGRESS", "COMPLETED"] = "PENDING"
""",
    "redis-py": "import redis",
    "Powertools' router": """
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
APIGatewayRestResolver()
""",
    "Powertools' router with validation": """
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
APIGatewayRestResolver(enable_validation=True)
""",
}
"""What this project could use and does not, and how it would be used."""

Results = Mapping[str, Sequence[Mapping[str, Any]]]


def measure() -> str:
    layer = build()
    functions = sorted(
        name for name, each in RESOURCES.items() if each["Type"] == "AWS::Serverless::Function"
    )
    alternatives = [alternative("Powertools"), alternative("FastApi", REDIS_URL="redis://localhost")]
    results = _run(
        [bare(layer, "floor")]
        + [ours(layer, name) for name in functions]
        + alternatives
        + [with_bytecode(each) for each in alternatives]
    )
    times, memory = _ratios(results, "import"), _ratios(results, "memory")
    rows = [
        [
            f"**{name}**" if name in API else name,
            ratio(times[name]),
            ratio(memory[name]),
            f"{min(each['import'] for each in measured) * 1000:.0f} ms",
            f"{measured[0]['memory'] / 1e6:.0f} MB",
            measured[0]["modules"],
        ]
        for name, measured in results.items()
    ]
    validation = ["pydantic", "annotated_types", "typing_inspection", "aws_lambda_powertools"]
    whole = put_back(layer, FastApi=["redis"], Powertools=validation)
    paths = [BUILT / "ListTasksFunction", whole]
    with_more = _run(
        [bare(layer, "floor"), Program("as it is", paths)]
        + [Program(f"with {name}", paths, also=also) for name, also in LEFT_OUT.items()]
    )
    more = _ratios(with_more, "import")
    sizes = {"our layers": _size([layer])} | {
        f"{each.name}'s zip": _size(each.paths) for each in alternatives
    }
    return f"""Cold start

Each function is imported {ROUNDS} times in a process of its own, in turn with the others, from what `sam build` made; the
alternatives are packaged as `sam build` does by default, which leaves out bytecode, and measured with bytecode too.
*floor* makes a DynamoDB client with boto3 from our layer and does nothing else; *Powertools* is the API in the style of
aws-lambda-handler-cookbook; *FastApi* is FastAPI, Mangum, SQLAlchemy, asyncpg and redis-py. Functions of the API are in
bold. The aim for them is at most {AIM} × the floor. Each ratio is the median of those to the floor of the same round.

{table(["function", "time", "memory", "fastest", "memory", "modules"], rows)}
{bars("cold_start_time", "Time to import, in times of the floor", times, limit=AIM)}
{bars("cold_start_memory", "Memory after the import, in times of the floor", memory, limit=AIM)}
Unzipped, bytecode included: {"; ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items())}.

What this project does without is what the aim leaves no room for. ListTasks, as it is and with one thing more:

{table(["ListTasks", "time"], [[name, ratio(value)] for name, value in more.items() if name != "floor"])}"""


def _run(programs: Sequence[Program]) -> Results:
    results: dict[str, list[dict[str, Any]]] = {program.name: [] for program in programs}
    for number in range(ROUNDS + 1):
        say(f"cold starts, round {number} of {ROUNDS}")
        for program in programs:
            result = run(program)
            if number:  # the first warms the disk's cache
                results[program.name].append(result)
    return results


def _ratios(results: Results, what: str) -> dict[str, float]:
    """How much of something each took, in times of the floor in the same round, because machines are noisy."""
    return {
        name: statistics.median(
            each[what] / floor[what] for each, floor in zip(measured, results["floor"], strict=True)
        )
        for name, measured in results.items()
    }


def _size(folders: Iterable[Path]) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
