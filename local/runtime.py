"""Warm workers in the place of SAM CLI's containers."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from samcli.lib.utils.stream_writer import StreamWriter
from samcli.local.lambdafn.config import FunctionConfig

from local.worker import FunctionSpec, error_answer, run

Log = Callable[[str, str], None]
"""Takes a function's name and a line that the function wrote."""

# Libraries that the functions import. A worker is forked from a process that has imported them already,
# which makes it ready in a fraction of the time; the project's own code it imports itself, afresh.
_PRELOADED = [
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.idempotency",
    "botocore.session",
    "botocore.client",
    "hiredis",
    "jwt",
    "local.worker",
    "passlib.context",
    "pydantic_core",
]
_INIT_TIMEOUT = 30
"""Seconds for a new worker to import the function's code and say that it is ready."""
_EXIT_TIMEOUT = 2
"""Seconds for an idle worker to leave by itself."""


class WarmRuntime:
    """Stands in for `samcli.local.lambdafn.runtime.LambdaRuntime`: runs functions in warm worker processes.

    A function gets its first worker with its first event and a further one, up to `concurrency`, whenever
    all others are busy. A worker whose code has changed since it started is replaced.
    """

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str],
        replaced: Mapping[str, str],
        concurrency: int,
        log: Log,
    ) -> None:
        """Prepare to run functions.

        Args:
            root: The folder that has the package `shared`.
            environment: Variables that every function has here.
            replaced: Other values for variables of the template, where these are not empty.
            concurrency: How many events a function may handle at once.
            log: Takes what functions write.
        """
        self._root = root
        self._environment = environment
        self._replaced = replaced
        self._concurrency = concurrency
        self._log = log
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(_PRELOADED)
        self._pools: dict[str, _Pool] = {}
        self._lock = threading.Lock()

    def invoke(
        self,
        function_config: FunctionConfig,
        event: str,
        _tenant_id: str | None = None,
        *,
        stdout: StreamWriter,
        **_container_options: object,
    ) -> None:
        """Run a function on an event, both JSON, and write its answer to `stdout`."""
        with self._lock:
            pool = self._pools.get(function_config.name)
            if pool is None:
                pool = self._pools[function_config.name] = _Pool(
                    self._start, self._spec(function_config), self._concurrency
                )
        stdout.write_str(pool.invoke(event.encode()).decode())

    def preload(self) -> None:
        """Start the process that workers are forked from, so that the first one need not wait for it."""
        forkserver.ensure_running()

    def close(self) -> None:
        """End all workers, and wait for the process that they were forked from to end."""
        for pool in self._pools.values():
            pool.close()
        # It ends by itself when this process has, but only after that; there is no public way to wait for it.
        forkserver._forkserver._stop()  # type: ignore[attr-defined]

    def _spec(self, config: Any) -> FunctionSpec:
        config.env_vars.shell_env_values = {}  # or a variable of this shell would replace the template's
        variables = config.env_vars.resolve()
        return FunctionSpec(
            name=config.name,
            code=config.code_abs_path,
            root=str(self._root),
            handler=config.handler,
            environment={
                "PATH": os.environ["PATH"],
                "LANG": "en_US.UTF-8",
                "TZ": ":UTC",
                **variables,
                **{name: value for name, value in self._replaced.items() if variables.get(name)},
                **self._environment,
            },
            memory=config.memory,
            timeout=config.timeout,
        )

    def _start(self, spec: FunctionSpec) -> _Worker:
        events, worker_events = self._processes.Pipe()
        logs, worker_logs = self._processes.Pipe(duplex=False)
        process = self._processes.Process(target=run, args=(spec, worker_events, worker_logs), daemon=True)
        process.start()
        worker_events.close()
        worker_logs.close()
        threading.Thread(target=self._forward, args=(spec.name, logs), daemon=True).start()
        return _Worker(spec, process, events)

    def _forward(self, name: str, logs: Connection) -> None:
        with open(os.dup(logs.fileno()), encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
            for line in lines:
                self._log(name, line.rstrip("\n"))
        logs.close()


@dataclass(eq=False)
class _Worker:
    spec: FunctionSpec
    process: ForkServerProcess
    events: Connection

    ready: bool = False

    def invoke(self, event: bytes) -> bytes:
        """Run the function.

        Raises:
            TimeoutError: it took longer than it may.
            EOFError, OSError: the process died.
        """
        if not self.ready:
            self._receive(_INIT_TIMEOUT)
            self.ready = True
        self.events.send_bytes(event)
        return self._receive(self.spec.timeout)

    def _receive(self, timeout: float) -> bytes:
        if not self.events.poll(timeout):
            raise TimeoutError
        return self.events.recv_bytes()

    def close(self) -> None:
        self.events.close()
        self.process.join(_EXIT_TIMEOUT)
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


class _Pool:
    """The workers of one function."""

    def __init__(
        self, start: Callable[[FunctionSpec], _Worker], spec: FunctionSpec, concurrency: int
    ) -> None:
        self._start = start
        self._spec = spec
        self._slots = threading.Semaphore(concurrency)
        self._idle: list[tuple[_Worker, Fingerprint]] = []

    def invoke(self, event: bytes) -> bytes:
        with self._slots:
            code = fingerprint(Path(self._spec.code), Path(self._spec.root, "shared"))
            worker = self._take(code) or self._start(self._spec)
            try:
                answer = worker.invoke(event)
            except TimeoutError:
                worker.kill()
                message = f"Task timed out after {self._spec.timeout:.2f} seconds"
                return error_answer("Sandbox.Timedout", message)
            except (EOFError, OSError):
                worker.kill()
                return error_answer("Runtime.ExitError", "Runtime exited without providing a reason")
            self._idle.append((worker, code))
            return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self, code: Fingerprint) -> _Worker | None:
        """Take the worker that was used last, ending those that have old code or have died."""
        with contextlib.suppress(IndexError):
            while True:
                worker, its_code = self._idle.pop()
                if its_code == code and worker.process.is_alive():
                    return worker
                worker.close()
        return None


Fingerprint = frozenset[tuple[str, int]]


def fingerprint(*folders: Path) -> Fingerprint:
    """Tell one state of the code in some folders from another: every file with its time of change."""
    return frozenset(_files(*folders))


def _files(*folders: Path) -> Iterator[tuple[str, int]]:
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    yield entry.path, entry.stat().st_mtime_ns
                elif entry.name != "__pycache__":
                    yield from _files(Path(entry))
