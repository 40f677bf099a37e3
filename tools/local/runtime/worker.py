"""A worker: a process that runs one function, one event at a time, as a Lambda execution environment does."""

from __future__ import annotations

import contextlib
import decimal
import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import FileFinder, SourceFileLoader
from io import TextIOWrapper
from multiprocessing.connection import Connection
from types import CodeType
from typing import Any

from tools.local.runtime.output import pack_report
from tools.local.runtime.spec import MAX_RESPONSE, FunctionSpec, Result, failure
from tools.local.runtime.tracebacks import message_of, of_handler, of_import

Handler = Callable[[Any, "Context"], object]

ID_LENGTH = 36
"""Bytes of the request id that precedes an event in the pipe."""


@dataclass
class Context:
    """The context object that Lambda passes to a handler.

    See https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    function_name: str
    memory_limit_in_mb: int
    deadline: float
    """In seconds of the monotonic clock."""
    aws_request_id: str
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


class _Unloadable(Exception):
    """The function's code cannot be imported."""

    def __init__(self, kind: str, message: str, report: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.report = report


def run(spec: FunctionSpec, events: Connection, logs: Connection) -> None:
    """Load the function and say so, then answer each event with its result, until `events` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C, the stack closes the connection
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for stream in (1, 2):
        os.dup2(logs.fileno(), stream)
    logs.close()
    # New streams: the old ones may belong to a file.
    sys.stdout, sys.stderr = _text_stream(1), _text_stream(2)
    threading.Thread(target=_end_with_the_stack, daemon=True).start()
    os.environ.clear()
    os.environ.update(spec.environment)
    _import_from_source(spec)
    sys.path[:0] = [spec.code, spec.root]
    try:
        handler = load(spec)
    except _Unloadable as error:
        handler = _refusing(error)
    events.send_bytes(b"ready")
    while True:
        try:
            message = events.recv_bytes()
        except EOFError:
            return
        request_id, event = message[:ID_LENGTH].decode(), message[ID_LENGTH:]
        context = Context(spec.name, spec.memory, time.monotonic() + spec.timeout, request_id)
        events.send_bytes(invoke(handler, event, context).pack())


def _end_with_the_stack() -> None:
    """End this process when the stack has, whatever the function is doing."""
    stack = multiprocessing.parent_process()
    assert stack is not None  # noqa: S101 (this is a child)
    stack.join()
    os._exit(1)


class _SourceLoader(SourceFileLoader):
    """Compiles each module: bytecode that is kept may be of another edit in the same second."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _import_from_source(spec: FunctionSpec) -> None:
    """Import the user's own code without bytecode; installed packages keep theirs."""
    shared = os.path.join(spec.root, "shared")  # noqa: PTH118
    find = FileFinder.path_hook((_SourceLoader, [".py"]))

    def is_own(path: str) -> bool:
        return path == spec.root or (path + os.sep).startswith((spec.code + os.sep, shared + os.sep))

    def find_own(path: str) -> Any:
        if is_own(path):
            return find(path)
        raise ImportError(path)

    sys.dont_write_bytecode = True
    sys.path_hooks.insert(0, find_own)
    for path in filter(is_own, list(sys.path_importer_cache)):
        del sys.path_importer_cache[path]


def _text_stream(descriptor: int) -> TextIOWrapper:
    """Open a stream that takes whatever a function prints, lone surrogates too."""
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def load(spec: FunctionSpec) -> Handler:
    """Import the handler.

    Raises:
        _Unloadable: that raised an error; the report of it has the user's own frames only.
    """
    module, _, attribute = spec.handler.rpartition(".")
    try:
        loaded = importlib.import_module(module)
    except SyntaxError as error:
        message = f"Syntax error in module '{module}': {message_of(error)}"
        raise _Unloadable("Runtime.UserCodeSyntaxError", message, of_import(error, spec)) from error
    except Exception as error:
        message = f"Unable to import module '{module}': {message_of(error)}"
        raise _Unloadable("Runtime.ImportModuleError", message, of_import(error, spec)) from error
    handler: Handler | None = getattr(loaded, attribute, None)
    if handler is None:
        message = f"Handler '{attribute}' missing on module '{module}'"
        raise _Unloadable("Runtime.HandlerNotFound", message, f"Runtime.HandlerNotFound: {message}")
    return handler


def _refusing(error: _Unloadable) -> Handler:
    def refuse(_event: object, _context: Context) -> object:
        raise error

    return refuse


def invoke(handler: Handler, event: bytes, context: Context) -> Result:
    """Call the handler; an exception is reported, and becomes the result."""
    try:
        returned = handler(json.loads(event), context)
    except _Unloadable as error:
        return _failed(error.kind, str(error), error.report)
    except Exception as error:
        return _failed(type(error).__name__, message_of(error), of_handler(error, __file__))
    try:
        payload = json.dumps(returned, ensure_ascii=False, default=_number).encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"Unable to marshal response: {message_of(error)}"
        return _failed("Runtime.MarshalError", message, f"Runtime.MarshalError: {message}")
    if len(payload) > MAX_RESPONSE:
        message = (
            f"Response payload size ({len(payload)} bytes) exceeded maximum allowed payload size "
            f"({MAX_RESPONSE} bytes)."
        )
        kind = "Function.ResponseSizeTooLarge"
        return _failed(kind, message, f"{kind}: {message}")
    return Result(payload)


def _number(value: object) -> float:
    """Write a decimal as a number, as Lambda's runtime does."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _failed(kind: str, message: str, report: str) -> Result:
    with contextlib.suppress(OSError, ValueError):  # a function may have closed its output
        sys.stdout.flush()
        sys.stderr.flush()
        _write_all(pack_report(f"[ERROR] {report}"))
    return failure(kind, message)


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(2, data) :]
