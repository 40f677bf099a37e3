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
    redis: str
    """`auto`, `none`, the name of a program to start, or the URL of a server that runs."""
    concurrency: int
    """How many events a function may handle at once."""
    parameters: Mapping[str, str]
    docker: bool
    """Whether SAM CLI serves the API, in containers."""


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
        from samcli.commands.local.lib.local_lambda import LocalLambdaRunner

        from local import console, sam_local
        from local.event_sources import queue_mappings, stream_mappings
        from local.gateway.server import Server
        from local.gateway.service import Gateway
        from local.runtime.warm import Functions, WarmRuntime
        from local.template import load_template
        from local.triggers import Triggers, invoker

        console.quiet_sam()
        template = load_template(options.template, options.parameters)
        queues, streams = queue_mappings(template), stream_mappings(template)
        state = str(options.state) if options.state else None
        host = sam_local.docker_host() if options.docker else sam_local.NO_CONTAINERS
        endpoints = backends.configure(
            BackendsConfig(dict(template.resources), state, options.redis, host.address)
        )
        runtime = WarmRuntime(
            template.root,
            {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoints.aws},
            {"REDIS_URL": endpoints.redis},
            options.concurrency,
            log=console.function_line,
            report=console.function_failure,
        )
        stack.callback(runtime.close)
        root = str(template.root)
        runner = LocalLambdaRunner(runtime, template.functions, cwd=root, real_path=root)
        triggers = Triggers(queues, streams, invoker(runner), endpoints.aws, log=console.delivery)
        stack.callback(triggers.stop)
        runtime.preload()
        if options.docker:
            aws, redis = host.seen_from_containers(endpoints.aws), host.seen_from_containers(endpoints.redis)
            listener.close()
            api = sam_local.StartApi(template, options.parameters, aws, redis, host=options.host, port=port)
            stack.callback(api.close)
        else:
            functions = Functions(runner, runtime)
            report = console.function_failure
            gateway = Gateway(template, functions, port, log=console.request, report=report)
            server = Server(gateway, [listener])
            server.start()
            stack.callback(server.close)

        url = f"http://{options.host}:{port}"
        console.say(f"\n  API        {url}" + ("  (sam local start-api)" if options.docker else ""))
        console.say(f"  AWS        {endpoints.aws}  (moto: DynamoDB, SQS, Secrets Manager)")
        console.say(f"  Redis      {endpoints.redis}  ({endpoints.redis_program})")
        console.say(f"  state      {state or 'kept nowhere (--no-state)'}")
        console.say(
            f"  functions  {len(list(template.functions.get_all()))}, each started when it is first called\n"
        )
        for route in sorted(template.api.routes, key=lambda route: route.path):
            lock = "signed in" if route.authorizer_object else ""
            console.say(f"  {route.methods[0]:6} {route.path:18} {route.function_name:27} {lock}")
        for kind, mappings in (("stream", streams), ("queue", queues)):
            for mapping in mappings:
                console.say(f"  {kind:6} {mapping.source:18} {mapping.function}")
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
