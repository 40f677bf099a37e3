"""Programs to measure: our built functions with their layers, and the alternatives that people ship."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3

from tests.aws import template_resources
from tests.local_stack import ROOT
from tests.optional import LAMBDA_PYTHON
from tests.sam_cli import lay_layers, sam
from tools.local.backends.environment import ENVIRONMENT, LOOPBACK, REGION
from tools.local.backends.process import Backends, BackendsConfig, Endpoints

HERE = Path(__file__).parent
BUILT = ROOT / ".aws-sam/build"
ALTERNATIVES = ROOT / ".aws-sam/alternatives"


@dataclass(frozen=True)
class Program:
    """A function to measure."""

    name: str
    paths: Sequence[Path]
    variables: Mapping[str, str] = field(default_factory=dict)
    also: str = ""
    """Python code to run after the import, measured as a part of it."""


def build() -> Path:
    """Build the functions, and the alternatives with `sam build`'s defaults; returns the merged layers."""
    sam("build")
    template = str(HERE / "alternatives/template.yaml")
    sam("build", "--template", template, "--build-dir", str(ALTERNATIVES), "--no-cached")
    opt = Path(tempfile.mkdtemp(prefix="opt"))
    lay_layers(BUILT, opt)
    return opt / "python"


def ours(layer: Path, function: str, **variables: str) -> Program:
    return Program(function.removesuffix("Function"), [BUILT / function, layer], variables)


def bare(layer: Path, folder: str = "bare", name: str = "bare") -> Program:
    return Program(name, [_compiled(HERE / "alternatives" / folder), layer])


def alternative(name: str, **variables: str) -> Program:
    return Program(name, [ALTERNATIVES / name], variables)


def with_bytecode(program: Program, name: str | None = None) -> Program:
    """The same program with bytecode: `sam build` leaves it out, so each cold start compiles its imports."""
    (source,) = program.paths
    return replace(program, name=name or f"{program.name}, with bytecode", paths=[_compiled(source)])


def put_back(layer: Path, **packages: Sequence[str]) -> Path:
    """Copy the layer, and add packages that it lacks, named by the alternative that has them."""
    sources = {ALTERNATIVES / name / package: package for name, them in packages.items() for package in them}
    return _compiled(layer, sources)


def _compiled(source: Path, more: Mapping[Path, str] | None = None) -> Path:
    """Copy a folder, and `more` folders into it by name, and compile the copy."""
    target = Path(tempfile.mkdtemp(prefix=source.name))
    shutil.copytree(source, target, dirs_exist_ok=True)
    for folder, name in (more or {}).items():
        shutil.copytree(folder, target / name, dirs_exist_ok=True)
    command = [
        LAMBDA_PYTHON.path,
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        str(target),
    ]
    subprocess.run(command, check=True)
    return target


@contextlib.contextmanager
def backends() -> Iterator[Endpoints]:
    """Start the emulator with the template's resources, and Redis; yields their addresses."""
    started = Backends()
    try:
        yield started.configure(BackendsConfig(template_resources(), {}, {}, None, "auto", LOOPBACK))
    finally:
        started.close()


def dynamodb(url: str) -> Any:
    """A client of the emulator at a URL."""
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def run(
    program: Program,
    endpoints: Endpoints | None = None,
    events: Mapping[str, str] | None = None,
    *,
    warm_up: int = 0,
    times: int = 0,
    number: int = 0,
) -> dict[str, Any]:
    """Run a function in a new process; returns the probe's result."""
    task = {
        "paths": [str(path) for path in program.paths],
        "events": events or {},
        "warm_up": warm_up,
        "times": times,
        "also": program.also,
        "run": f"{os.getpid()} {program.name} {number}",
    }
    variables = {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": endpoints.aws if endpoints else "http://127.0.0.1:1",
        "POWERTOOLS_SERVICE_NAME": "task-api",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "TASKS_TABLE": "TasksTable",
        "STATUS_SHARDS": "1",
        "USERS_TABLE": "UsersTable",
        "NOTIFIED_TABLE": "NotifiedTable",
        "HISTORY_TABLE": "HistoryTable",
        "TRASH_RETENTION": "30",
        "EVENT_BUS": "EventBus",
        "WEBHOOKS_TABLE": "WebhooksTable",
        "WEBHOOKS_TO_LOOPBACK": "false",
        "WEBHOOK_DELIVERIES_QUEUE": "http://queue",
        "TOKEN_SECRET": "TokenSecret",
        "TOKEN_LIFETIME": "3600",
        "SIGN_UP": "enabled",
        "CORS_ORIGIN": "*",
        "STACK_ID": "stack",
        "REDIS_URL": f"rediss://cache.internal:6379?ssl_ca_certs={program.paths[-1]}/botocore/cacert.pem",
        "DATABASE_URL": "postgresql+asyncpg://localhost/tasks",
        "PATH": os.environ["PATH"],
        **program.variables,
    }
    # As in Lambda, there is no site-packages, and no bytecode is written: /var/task and /opt are read-only.
    command = [LAMBDA_PYTHON.path, "-I", "-S", "-B", str(HERE / "probe.py"), json.dumps(task)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{program.name}: {done.stderr[-2000:]}"
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
