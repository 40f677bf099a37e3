"""Warm workers in the place of SAM CLI's containers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Mapping
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.utils.stream_writer import StreamWriter
from samcli.local.lambdafn.config import FunctionConfig

from tools.local.runtime.fingerprint import Fingerprint
from tools.local.runtime.output import Write, forward
from tools.local.runtime.pool import EXIT_TIMEOUT, Pool, Worker
from tools.local.runtime.spec import FunctionSpec, Result
from tools.local.runtime.worker import run

_MAX_TEMPDIR = 70
"""Bytes of a temporary folder's path that leave room for the name of the fork server's Unix socket."""


class WarmRuntime:
    """Stands in for `samcli.local.lambdafn.runtime.LambdaRuntime`: runs functions in warm worker processes.

    A worker whose code has changed since it started is replaced.
    """

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str],
        replaced: Mapping[str, str],
        concurrency: int,
        log: Write,
        report: Write,
    ) -> None:
        """Prepare to run functions.

        Args:
            root: The folder that has the package `shared`.
            environment: Variables that every function has here.
            replaced: Other values for variables of the template, where these are not empty.
            concurrency: How many events a function may handle at once.
            log: Takes what functions print.
            report: Takes errors that functions raise, and how workers die.
        """
        self._root = root
        self._environment = environment
        self._replaced = replaced
        self._concurrency = concurrency
        self._log = log
        self._report = report
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tools.local.runtime.preloaded"])
        self._pools: dict[str, Pool] = {}
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
        """Run a function on an event, both JSON, and write its answer to `stdout`: SAM CLI calls this."""
        stdout.write_str(self.pool(function_config).invoke(event.encode()).payload.decode())

    def pool(self, function_config: FunctionConfig) -> Pool:
        """Find the workers of a function, as SAM CLI describes it."""
        return self._pools.get(function_config.name) or self.pool_of(self._spec(function_config))

    def pool_of(self, spec: FunctionSpec) -> Pool:
        """Find the workers of a function."""
        with self._lock:
            if spec.name not in self._pools:
                self._pools[spec.name] = Pool(spec, self._concurrency, self._start, self._report)
            return self._pools[spec.name]

    def preload(self) -> None:
        """Start the process that workers are forked from, so that the first one need not wait for it."""
        # With SIGINT blocked: until it has loaded everything, Ctrl-C would end it with a traceback. The
        # tracker that it starts first would unblock SIGINT.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        if len(os.fsencode(tempfile.gettempdir())) > _MAX_TEMPDIR:
            tempfile.tempdir = "/tmp"  # noqa: S108 (Python makes a folder of its own there)
        try:
            forkserver.ensure_running()
        finally:
            tempfile.tempdir = None  # the default of the environment again
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def close(self) -> None:
        """End all workers, and wait for the process that they were forked from to end."""
        for pool in self._pools.values():
            pool.release()
        deadline = time.monotonic() + EXIT_TIMEOUT
        for pool in self._pools.values():
            pool.close(deadline)
        # By itself, it would end only after this process; there is no public way to wait for it.
        forkserver._forkserver._stop()  # type: ignore[attr-defined]

    def _spec(self, config: Any) -> FunctionSpec:
        config.env_vars.shell_env_values = {}  # the template's values, not those of this shell
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

    def _start(self, spec: FunctionSpec) -> Worker:
        events, worker_events = self._processes.Pipe()
        logs, worker_logs = self._processes.Pipe(duplex=False)
        process = self._processes.Process(target=run, args=(spec, worker_events, worker_logs), daemon=True)
        process.start()
        worker_events.close()
        worker_logs.close()
        output = threading.Thread(
            target=forward, args=(spec.name, logs, self._log, self._report), daemon=True
        )
        output.start()
        return Worker(process, events, output)


class Functions:
    """The template's functions, ready to be called by their logical ids."""

    def __init__(self, runner: LocalLambdaRunner, runtime: WarmRuntime) -> None:
        self._runner = runner
        self._runtime = runtime
        self._pools: dict[str, Pool] = {}

    def invoke(self, name: str, event: bytes) -> Result:
        """Call a function with an event, which is JSON."""
        return self._pool(name).invoke(event)

    def code(self, name: str) -> Fingerprint:
        """Fingerprint a function's code."""
        return self._pool(name).code()

    def is_debugging(self) -> bool:
        """Tell SAM CLI, which takes this for its own runner, that no debugger waits."""
        return False

    def _pool(self, name: str) -> Pool:
        # SAM CLI reads the template again for each call, which costs more than the call.
        pool = self._pools.get(name)
        if pool is None:
            function = self._runner.get_function(name)
            pool = self._pools[name] = self._runtime.pool(self._runner.get_invoke_config(function))
        return pool
