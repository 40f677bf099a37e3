"""The API in SAM CLI's containers, for those who have Docker: `make sam-local`.

`python -m tools.local.sam_local` is SAM CLI that ends, with its containers, when its standard input does:
with the stack, however that ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from samcli.yamlhelper import yaml_dump, yaml_parse

from tools.local.backends.environment import LOOPBACK, REGION
from tools.local.children import end
from tools.local.errors import LocalStackError
from tools.local.template import Template

_BUILT = Path(".aws-sam/build/template.yaml")
"""The template that `sam build` writes, with the paths of the build."""
_LAMBDA_PYTHON = "python3.13"
_START_TIMEOUT = 60
_STOP_TIMEOUT = 60


@dataclass(frozen=True)
class Host:
    """This machine."""

    address: str
    """Where its servers listen so that those who may can connect."""
    name_in_containers: str
    """The name that containers have for that address."""

    def seen_from_containers(self, url: str) -> str:
        """Turn the URL of a server here into the one that containers can use."""
        return url.replace(self.address, self.name_in_containers)


def build(template: Path) -> None:
    """Run `sam build`, after checking for the tools of the next steps.

    Raises:
        LocalStackError: Docker or Lambda's Python is missing, or the build fails; what it printed says why.
    """
    try:
        subprocess.run([_LAMBDA_PYTHON, "-c", ""], check=True, capture_output=True, timeout=_START_TIMEOUT)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalStackError(
            f"make sam-local needs {_LAMBDA_PYTHON}, which is not there (https://www.python.org/downloads), "
            "and Docker. Without both: make run."
        ) from error
    docker_host()
    command = [sys.executable, "-m", "samcli", "build", "--template", str(template)]
    if subprocess.run(command, env={**os.environ, "SAM_CLI_TELEMETRY": "0"}).returncode:  # noqa: S603
        raise LocalStackError("sam build failed; the reason stands above.")


NO_CONTAINERS = Host(LOOPBACK, LOOPBACK)


def docker_host() -> Host:
    """Find out how containers can connect to this machine.

    Raises:
        LocalStackError: Docker does not answer.
    """
    try:
        client = docker.from_env(timeout=10)
        if client.info()["OperatingSystem"] == "Docker Desktop":
            return Host(LOOPBACK, "host.docker.internal")
        (subnet, *_) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    except DockerException as error:
        raise LocalStackError("Docker does not answer. Start it, or run without it: make run.") from error
    # An engine that has just made the bridge itself does not name the gateway: it is the first address.
    gateway = subnet.get("Gateway") or str(next(ip_network(subnet["Subnet"]).hosts()))
    return Host(gateway, gateway)


class StartApi:
    """A running `sam local start-api`."""

    def __init__(
        self,
        template: Template,
        parameters: Mapping[str, str],
        aws: str,
        redis: str,
        *,
        host: str,
        port: int,
    ) -> None:
        """Start it with the build, and wait until it listens.

        Args:
            template: The template that was built.
            parameters: Values for its parameters; `Architecture` is this machine's unless it is among them.
            aws: The URL of AWS, for containers.
            redis: The URL of Redis, for containers.
            host: The address to listen on.
            port: The port to listen on.

        Raises:
            LocalStackError: nothing was built, or it ended, or takes too long; what it printed says why.
        """
        copy, variables = _copy(template, {"Architecture": architecture(), **parameters}, aws, redis)
        options = ["--template", str(copy), "--host", host, "--port", str(port)]
        options += ["--skip-pull-image", "--warm-containers", "LAZY"]
        self._process = subprocess.Popen(  # noqa: S603 (SAM CLI, with paths and numbers of our own)
            [sys.executable, "-m", "tools.local.sam_local", "local", "start-api", *options],
            env=_environment(variables),
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C must not end it before the stack has
        )
        deadline = time.monotonic() + _START_TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
                return
            time.sleep(0.1)
        self.close()
        raise LocalStackError("sam local start-api did not start; the reason stands above.")

    def close(self) -> None:
        """End it, with the containers that it started."""
        end(self._process, _STOP_TIMEOUT)


def _copy(
    template: Template, parameters: Mapping[str, str], aws: str, redis: str
) -> tuple[Path, Collection[str]]:
    """Copy the built template to a file beside it, with which functions find AWS and Redis here.

    SAM CLI gives a container only variables that its template names. `sam local invoke` can use the file too.

    Returns:
        The file, and the names of all variables in it.
    """
    built = template.root / _BUILT
    if not built.is_file():
        raise LocalStackError("Nothing is built yet. Add --build, as make sam-local does.")
    copy = yaml_parse(built.read_text("utf-8"))
    for name, value in parameters.items():
        copy["Parameters"][name]["Default"] = value
    names = set()
    for function in template.functions.get_all():
        resolved = function.environment["Variables"]
        here = {"AWS_ENDPOINT_URL": aws, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        here["STACK_ID"] = resolved["STACK_ID"]  # SAM CLI would invent the same one for all
        if resolved.get("REDIS_URL"):
            here["REDIS_URL"] = redis
        copied: dict[str, Any] = copy["Resources"][function.name]["Properties"].setdefault("Environment", {})
        copied.setdefault("Variables", {}).update(here)
        names |= resolved.keys() | here.keys()
    path = built.with_name("local.yaml")
    path.write_text(yaml_dump(copy), "utf-8")
    return path, names


def _environment(variables: Collection[str]) -> dict[str, str]:
    """Make SAM CLI's environment of this one.

    SAM CLI would put a variable of its own into the place of a function's, and would ask AWS whose the
    credentials are.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    kept = {name: value for name, value in own.items() if name not in variables}
    return {**kept, **nowhere, "AWS_EC2_METADATA_DISABLED": "true", "SAM_CLI_TELEMETRY": "0"}


def architecture() -> str:
    """Name this machine's kind of processor, as the template's parameter does."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def main() -> None:
    """Run SAM CLI with this command line, until standard input ends."""
    from samcli.cli.main import cli

    threading.Thread(target=_interrupt_at_end_of_input, daemon=True).start()
    sys.unraisablehook = hide_closed_files
    cli(prog_name="sam")


def hide_closed_files(
    unraisable: sys.UnraisableHookArgs, show: Any = sys.__unraisablehook__, kind: type = io.IOBase
) -> None:
    """Show what `sys.unraisablehook` is given, but for files that were closed before they were finalized.

    docker-py leaves its connections to the garbage collector. Python 3.13 and later print a traceback for
    each whose parts are closed in the wrong order, most of them when SAM CLI ends.
    """
    # Defaults, because globals are gone when Python ends.
    if not (isinstance(unraisable.object, kind) and unraisable.exc_type.__name__ == "ValueError"):
        show(unraisable)


def _interrupt_at_end_of_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
