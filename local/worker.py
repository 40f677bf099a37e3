"""A worker: a process that runs one function, one event at a time, as a Lambda execution environment does."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

Handler = Callable[[Any, "Context"], object]


@dataclass(frozen=True)
class FunctionSpec:
    """What a worker needs to know to run a function."""

    name: str
    code: str
    """The folder with the function's code."""
    root: str
    """The folder with what the layer holds on AWS: the package `shared`."""
    handler: str
    """`module.attribute`, as in the template."""
    environment: dict[str, str]
    memory: int
    """In MB; told to the function, not enforced."""
    timeout: float
    """In seconds."""


@dataclass
class Context:
    """The context object that Lambda passes to a handler.

    See https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    function_name: str
    memory_limit_in_mb: int
    deadline: float
    """In seconds of the monotonic clock."""
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"

    @property
    def invoked_function_arn(self) -> str:
        """The ARN, of the account that moto and SAM CLI make up."""
        return f"arn:aws:lambda:{os.environ['AWS_REGION']}:123456789012:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """Where the logs would go."""
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is killed."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


def run(spec: FunctionSpec, events: Connection, logs: Connection) -> None:
    """Load the function and say so, then answer each event with its result, until `events` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the stack's business: it closes the connection
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for stream in (1, 2):
        os.dup2(logs.fileno(), stream)
    logs.close()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(spec.environment)
    sys.path[:0] = [spec.code, spec.root]
    handler = _load(spec.handler)
    events.send_bytes(b"ready")
    while True:
        try:
            event = events.recv_bytes()
        except EOFError:
            return
        context = Context(spec.name, spec.memory, deadline=time.monotonic() + spec.timeout)
        events.send_bytes(_invoke(handler, event, context))


def _load(handler: str) -> Handler:
    """Import the handler; one that cannot be imported answers every event with the reason, as on AWS."""
    module, _, attribute = handler.rpartition(".")
    try:
        loaded: Handler = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        traceback.print_exc()
        message = f"Unable to import module '{module}': {error}"

        def refuse(_event: object, _context: Context) -> object:
            raise ImportError(message)

        return refuse
    return loaded


def _invoke(handler: Handler, event: bytes, context: Context) -> bytes:
    try:
        return json.dumps(handler(json.loads(event), context)).encode()
    except Exception as error:
        traceback.print_exc()
        return error_answer(type(error).__name__, str(error))


def error_answer(kind: str, message: str) -> bytes:
    """Say that an invocation failed, in Lambda's words."""
    return json.dumps({"errorMessage": message, "errorType": kind}).encode()
