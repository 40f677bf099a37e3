"""One deadline for steps that offer none, or whose timeout starts again with every byte.

Deadlines are moments of `time.monotonic()`. What misses one raises `TimeoutError`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import TypeVar

_T = TypeVar("_T")


def time_left(deadline: float) -> float:
    """Return how many seconds are left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def run_until(deadline: float, step: Callable[[], _T]) -> _T:
    """Run a step in a thread, which lives on after the deadline until the step returns."""
    result: Future[_T] = Future()

    def run() -> None:
        try:
            result.set_result(step())
        except Exception as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(time_left(deadline))


@contextmanager
def shut_down_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """Shut a connection down at the deadline, which ends whatever waits for it."""
    is_late = threading.Event()

    def shut_down() -> None:
        is_late.set()
        with suppress(OSError):  # the other side has closed it
            handle.shutdown(socket.SHUT_RDWR)

    with connected.dup() as handle:  # stays open when TLS detaches the socket
        timer = threading.Timer(time_left(deadline), shut_down)
        timer.start()
        try:
            yield
        except (OSError, HTTPException):
            if not is_late.is_set():
                raise
        finally:
            timer.cancel()
            timer.join()
    if is_late.is_set():
        raise TimeoutError
