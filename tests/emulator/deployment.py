"""The built template, deployed to ministack."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import requests

from tests.local_stack import ROOT, await_condition
from tests.optional import LAMBDA_PYTHON, REDIS
from tests.servers import make_certificate
from tools.local.backends.redis_server import free_port

STACK = "task-api"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Emulator:
    """A ministack server, and a Redis server with TLS."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.aws = f"http://127.0.0.1:{free_port()}"
        self.url = f"{self.aws}/v1"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        redis, (certificate, key) = free_port(), make_certificate(self._folder)
        self._run(
            [
                *(REDIS.path, "--port", "0", "--tls-port", str(redis), "--bind", "127.0.0.1", "--save", ""),
                *("--tls-cert-file", certificate, "--tls-key-file", key),
                *("--tls-ca-cert-file", certificate, "--tls-auth-clients", "no"),
            ],
            {},
        )
        port = self.aws.rpartition(":")[2]
        environment = {
            "TMPDIR": str(self._folder),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": port,
            "LAMBDA_EXECUTOR": "local",
            "S3_DATA_DIR": str(self._folder / "s3"),
            "STATE_DIR": str(self._folder / "state"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "BRIDGE_PYTHON": LAMBDA_PYTHON.path,
            "BRIDGE_REDIS": f"127.0.0.1:{redis}",
            "BRIDGE_CA": certificate,
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "*",
        }
        self._run([sys.executable, "-m", "tests.emulator.bridge"], environment)
        await_condition(self._is_ready)

    def _run(self, command: list[str], environment: dict[str, str]) -> None:
        with (self._folder / "output.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    cwd=self._folder,
                    env={**os.environ, **CREDENTIALS, **environment},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _is_ready(self) -> bool:
        assert all(process.poll() is None for process in self._processes), self.output
        try:
            return requests.get(f"{self.aws}/_ministack/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    @property
    def output(self) -> str:
        return (self._folder / "output.log").read_text(errors="replace")

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(30)

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.aws, region_name="us-east-1")

    def run(self, *module: str, status: int = 0) -> str:
        """Run a Python module, such as SAM CLI, against the emulator; returns its output."""
        environment = {
            **os.environ,
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.aws,
            "SAM_CLI_TELEMETRY": "0",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "NO_PROXY": "*",
        }
        done = subprocess.run(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, output[-9_000:]
        return output

    def deploy(self, *, stack: str = STACK, template: str | None = None, **parameters: str) -> str:
        overrides = " ".join(f"{name}={value}" for name, value in parameters.items())
        elsewhere = ("--resolve-s3", "--capabilities", "CAPABILITY_IAM")  # ours are in samconfig.toml
        return self.run(
            *("samcli", "deploy"),
            *("--stack-name", stack, "--region", "us-east-1", "--no-progressbar"),
            *(["--template", template, *elsewhere] if template else []),
            *(["--parameter-overrides", overrides] if overrides else []),
        )

    def delete(self, stack: str) -> None:
        self.run("samcli", "delete", "--stack-name", stack, "--no-prompts", "--region", "us-east-1")

    def resource(self, logical_id: str, stack: str = STACK) -> str:
        """The physical id of a resource."""
        detail = self.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId=logical_id
        )
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])

    def logged(self) -> list[str]:
        """The log lines of all functions."""
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=f"/aws/lambda/{STACK}")
        )
        return [event["message"] for page in pages for event in page["events"]]


@contextmanager
def emulator(folder: Path) -> Iterator[Emulator]:
    server = Emulator(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
