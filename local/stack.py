"""Starts the local stack, piece by piece, and takes it down again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.backends import ENVIRONMENT, Backends, BackendsConfig
from local.errors import LocalStackError


@dataclass(frozen=True)
class Options:
    """What `make run ARGS=…` can choose."""

    template: Path
    host: str
    port: int
    """0 takes any free one."""
    state: Path | None
    """The file that keeps tables and secrets; None starts empty and keeps nothing."""
    concurrency: int
    """How many events a function may handle at once."""
    parameters: Mapping[str, str]


def serve(options: Options) -> None:
    """Run the stack until SIGINT or SIGTERM, then leave nothing behind.

    Raises:
        LocalStackError: it could not start.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    started = time.perf_counter()
    with _running(options) as url:
        from local.console import say

        say(f"  ready in {time.perf_counter() - started:.1f} s. Ctrl-C stops it.\n\n  {url}/docs\n")
        stopped.wait()
        say("\nstopping")


@contextlib.contextmanager
def _running(options: Options) -> Iterator[str]:
    """Run the stack; yields the URL of the API."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listen(options.host, options.port))
        port = listener.getsockname()[1]
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(ENVIRONMENT)
        backends = Backends()
        stack.callback(backends.close)

        # Imported here, because it takes a second that the backends spend on their own start.
        from local import console
        from local.gateway import Gateway
        from local.runtime import WarmRuntime
        from local.template import load_template

        console.quiet_sam()
        template = load_template(options.template, options.parameters)
        state = str(options.state) if options.state else None
        aws = backends.configure(BackendsConfig(dict(template.resources), state))
        environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": aws}
        runtime = WarmRuntime(template.root, environment, options.concurrency, log=console.function_line)
        stack.callback(runtime.close)
        # The triggers of queues and streams belong here: they call `runtime` as the gateway does.
        gateway = Gateway(template, runtime, port, log=console.request)
        server = gateway.listen(options.host, listener.fileno())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        runtime.preload()

        url = f"http://{options.host}:{port}"
        console.say(f"\n  API        {url}")
        console.say(f"  AWS        {aws}  (moto: DynamoDB, Secrets Manager)")
        console.say(f"  state      {state or 'kept nowhere (--no-state)'}")
        console.say(
            f"  functions  {len(list(template.functions.get_all()))}, each started by its first request\n"
        )
        for route in sorted(template.api.routes, key=lambda route: route.path):
            lock = "signed in" if route.authorizer_object else ""
            console.say(f"  {route.methods[0]:6} {route.path:18} {route.function_name:20} {lock}")
        console.say("")
        yield url


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is started, so that a taken one is told at once."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise LocalStackError(
            f"Cannot listen on {host}:{port}: {error.strerror}. "
            f'Stop what is there, or choose another port: make run ARGS="--port {port + 1}".'
        ) from error
