"""The workers of one function."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from tools.local.runtime.fingerprint import Fingerprint, fingerprint
from tools.local.runtime.output import Write
from tools.local.runtime.spec import FunctionSpec, Result, failure

_WITHOUT_REASON = "Runtime exited without providing a reason"
_INIT_TIMEOUT = 30
"""Seconds for a new worker to import the function's code and say that it is ready."""
EXIT_TIMEOUT = 2
"""Seconds for an idle worker to leave by itself."""
_OUTPUT_TIMEOUT = 1
"""Seconds to wait for the last lines of a worker that died."""


@dataclass(eq=False)
class Worker:
    """A worker process, as its pool sees it."""

    process: ForkServerProcess
    events: Connection
    output: threading.Thread
    """Forwards the worker's output; ends when the worker has."""

    ready: bool = False

    def invoke(self, request_id: str, event: bytes, timeout: float) -> Result:
        """Run the function.

        Raises:
            TimeoutError: it took longer than it may.
            EOFError, OSError: the process died.
        """
        if not self.ready:
            self._receive(_INIT_TIMEOUT)
            self.ready = True
        self.events.send_bytes(request_id.encode() + event)
        return Result.unpack(self._receive(timeout))

    def _receive(self, timeout: float) -> bytes:
        if not self.events.poll(timeout):
            raise TimeoutError
        return self.events.recv_bytes()

    def exit_reason(self) -> str:
        """Say how a worker that closed its connection ended, in Lambda's words."""
        self.process.join(EXIT_TIMEOUT)
        code = self.process.exitcode
        self.kill()
        if not code:
            return _WITHOUT_REASON
        if code > 0:
            return f"Runtime exited with error: exit status {code}"
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"

    def close(self, timeout: float = EXIT_TIMEOUT) -> None:
        """Let the worker leave, and end it when it has not in so many seconds."""
        self.events.close()
        self.process.join(timeout)
        self.kill()

    def kill(self) -> None:
        """Kill the worker, and wait until its output is shown."""
        self.process.kill()
        self.process.join()
        self.output.join(_OUTPUT_TIMEOUT)


class Pool:
    """The workers of one function: one with its first event, and a further one whenever all are busy."""

    def __init__(
        self,
        spec: FunctionSpec,
        concurrency: int,
        start: Callable[[FunctionSpec], Worker],
        report: Write,
    ) -> None:
        """Prepare to run a function.

        Args:
            spec: The function.
            concurrency: How many workers it may have; further events wait.
            start: Starts a worker.
            report: Takes the function's name and how a worker was ended or died.
        """
        self._spec = spec
        self._slots = threading.Semaphore(concurrency)
        self._start = start
        self._report = report
        self._idle: list[tuple[Worker, Fingerprint]] = []
        self._busy: set[Worker] = set()
        self._folders = (spec.code, os.path.join(spec.root, "shared"))  # noqa: PTH118

    def code(self) -> Fingerprint:
        """Fingerprint the function's code."""
        return fingerprint(*self._folders)

    def invoke(self, event: bytes) -> Result:
        """Run the function on an event, in a worker with its current code."""
        request_id = str(uuid.uuid4())
        with self._slots:
            code = self.code()
            try:
                worker = self._take(code) or self._start(self._spec)
            except OSError:  # killed before it could read its function
                return self._fail("Runtime.ExitError", request_id, f"Error: {_WITHOUT_REASON}")
            self._busy.add(worker)
            try:
                result = worker.invoke(request_id, event, self._spec.timeout)
            except TimeoutError:
                worker.kill()
                seconds = self._spec.timeout if worker.ready else _INIT_TIMEOUT
                return self._fail(
                    "Sandbox.Timedout", request_id, f"Task timed out after {seconds:.2f} seconds"
                )
            except (EOFError, OSError):
                return self._fail("Runtime.ExitError", request_id, f"Error: {worker.exit_reason()}")
            finally:
                self._busy.discard(worker)
            self._idle.append((worker, code))
            return result

    def release(self) -> None:
        """Tell all idle workers to leave, and end those that are busy."""
        for worker, _ in self._idle:
            worker.events.close()
        for worker in list(self._busy):
            worker.process.kill()

    def close(self, deadline: float) -> None:
        """End all workers that have not left by a deadline in the monotonic clock's time."""
        while self._idle:
            self._idle.pop()[0].close(max(0, deadline - time.monotonic()))

    def _fail(self, kind: str, request_id: str, message: str) -> Result:
        text = f"RequestId: {request_id} {message}"
        self._report(self._spec.name, text)
        return failure(kind, text)

    def _take(self, code: Fingerprint) -> Worker | None:
        """Take the worker used last; end dead ones and those with old code."""
        with contextlib.suppress(IndexError):
            while True:
                worker, its_code = self._idle.pop()
                if its_code == code and worker.process.is_alive():
                    return worker
                worker.close()
        return None
