"""The backends' process, as the stack sees it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.managers import BaseManager
from typing import TYPE_CHECKING, Any

from tools.local.backends.environment import LOOPBACK
from tools.local.children import end
from tools.local.errors import LocalStackError

if TYPE_CHECKING:
    from tools.local.backends.sources import Sources

_STOP_TIMEOUT = 10
"""Seconds."""


@dataclass(frozen=True)
class BackendsConfig:
    """Configuration of the backends."""

    resources: Mapping[str, Any]
    """The template's resources by logical id, which is the name each has here."""
    consumers: Mapping[str, Sequence[str]]
    """The functions that read each table's stream, by the table's logical id."""
    parameters: Mapping[str, str]
    """The template's parameters."""
    state: str | None
    """The file that keeps their content, if any does."""
    redis: str
    """Which Redis: `auto`, `none`, the name of a program to start, or the URL of one that runs."""
    host: str
    """The address they listen on."""
    key: str = ""
    """Key with which the stack authenticates to read streams and queues."""


@dataclass(frozen=True)
class Endpoints:
    """Where the backends are."""

    aws: str
    """URL of AWS."""
    redis: str
    """URL of Redis; empty when there is none."""
    redis_program: str
    """Name of the Redis server, for people."""
    sources: int
    """The port at which streams and queues are read."""


class SourcesManager(BaseManager):
    """Calls methods of `Sources` in the backends' process."""


class Backends:
    """The backends' process."""

    def __init__(self) -> None:
        """Start the process; it loads while the caller reads the template."""
        self._key = secrets.token_hex()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.local.backends"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C must not end it before the stack has
        )

    def configure(self, config: BackendsConfig) -> Endpoints:
        """Make the resources, restore their content and start Redis.

        Raises:
            LocalStackError: the state file is damaged or in use, Redis does not start, or the process died.
        """
        config = replace(config, key=self._key)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 (both are pipes)
        try:
            stdin.write(json.dumps(asdict(config)) + "\n")
            stdin.flush()
            answer = json.loads(stdout.readline())
        except (OSError, ValueError) as error:
            raise LocalStackError("The backends did not start; the reason stands above.") from error
        if "error" in answer:
            raise LocalStackError(answer["error"])
        return Endpoints(**answer)

    def sources(self, endpoints: Endpoints) -> Sources:
        """Read its streams and queues."""
        SourcesManager.register("sources")
        manager = SourcesManager((LOOPBACK, endpoints.sources), self._key.encode())
        manager.connect()
        sources: Sources = manager.sources()  # type: ignore[attr-defined]
        return sources

    @property
    def are_running(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    @property
    def has_failed(self) -> bool:
        """Whether the process ended with an error."""
        return bool(self._process.poll())

    def close(self) -> None:
        """Let the process save its state, and end it."""
        end(self._process, _STOP_TIMEOUT)
