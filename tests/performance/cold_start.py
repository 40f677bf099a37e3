"""Cold starts: time and memory to import each built function, with Lambda's Python."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.performance.programs import (
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
from tests.template import FUNCTIONS, RESOURCES

ROUNDS = 11
YARDSTICK = "stock"
AIM = 1.25
API = {"Authorize"} | {each.logical_id.removesuffix("Function") for each in FUNCTIONS.values() if each.routes}
"""The functions that clients wait for."""
PACKAGES = {
    "pydantic, and the body of POST /tasks as a model": """
from typing import Annotated, Literal
from pydantic import BaseModel, ConfigDict, StringConstraints
class NewTask(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    description: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    status: Literal["PENDING", "IN_PROGRESS", "COMPLETED"] = "PENDING"
""",
    "Powertools' logger": """
from aws_lambda_powertools import Logger
Logger()
""",
    "hiredis and a TLS context": """
import os, ssl, sys, hiredis
ssl.create_default_context(cafile=os.path.join(sys.path[1], "botocore/cacert.pem"))
""",
    "passlib and PyJWT": """
import jwt
from passlib.context import CryptContext
CryptContext(schemes=["argon2"])
""",
    "redis-py instead of hiredis": "import redis",
    "Powertools' router": """
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
APIGatewayRestResolver()
""",
    "Powertools' router with validation": """
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
APIGatewayRestResolver(enable_validation=True)
""",
}
"""Code that adds a package to a DynamoDB client: packages that functions use, and some that they avoid."""

Results = Mapping[str, Sequence[Mapping[str, Any]]]


def measure() -> str:
    layer = build()
    functions = sorted(
        name for name, each in RESOURCES.items() if each["Type"] == "AWS::Serverless::Function"
    )
    stock = with_bytecode(alternative("Stock"), YARDSTICK)
    trimmed = bare(layer, "stock", "trimmed")
    alternatives = [alternative("Powertools"), alternative("FastApi", REDIS_URL="redis://localhost")]
    results = _run(
        [stock, trimmed]
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
    whole = put_back(layer, FastApi=["redis"], Powertools=["aws_lambda_powertools"])
    paths = [*trimmed.paths[:1], whole]
    with_more = _run(
        [stock, Program("nothing else", paths)]
        + [Program(name, paths, also=also) for name, also in PACKAGES.items()]
    )
    more = _ratios(with_more, "import")
    del more[YARDSTICK]
    sizes = {"our layers": _size([layer])} | {
        f"{each.name}'s zip": _size(each.paths) for each in alternatives
    }
    return f"""Cold start

Each function is imported {ROUNDS} times from the output of `sam build`, in a new process each time, in turn with the others.
The yardstick is *stock*: a DynamoDB client of boto3, as pip installs it, with bytecode and nothing else. *trimmed* is the
same client from our layer. *Powertools* is the API in the style of aws-lambda-handler-cookbook. *FastApi* is FastAPI, Mangum,
SQLAlchemy, asyncpg and redis-py. `sam build` packages these two without bytecode, as it does by default; they are also
measured with bytecode. Functions of the API are in bold; the aim for them is at most {AIM} × stock. Each ratio compares
with the stock handler in the same round, and is the median of all rounds.

{table(["function", "time", "memory", "fastest", "memory", "modules"], rows)}
{bars("cold_start_time", "Time to import, in times of the stock handler", times, limit=AIM)}
{bars("cold_start_memory", "Memory after the import, in times of the stock handler", memory, limit=AIM)}
Unzipped, bytecode included: {"; ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items())}.

The cost of each package: the time to import a DynamoDB client from our layer and one package more.

{table(["a client and", "time"], [[name, ratio(value)] for name, value in more.items()])}"""


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
    """The median ratio to the yardstick in the same round, because machines are noisy."""
    return {
        name: statistics.median(
            each[what] / stock[what] for each, stock in zip(measured, results[YARDSTICK], strict=True)
        )
        for name, measured in results.items()
    }


def _size(folders: Iterable[Path]) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
