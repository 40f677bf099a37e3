"""Starts the parts of the local stack, watches over them, and ends them."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tools.local.backends.environment import ENVIRONMENT
from tools.local.backends.process import Backends, BackendsConfig
from tools.local.backends.state import StateFile
from tools.local.errors import LocalStackError

_WELCOME = """\
  ready in {seconds:.1f} s. Ctrl-C stops it.

  board      {url}/
  docs       {url}/docs
  to try     curl {url}/auth/create -H 'Content-Type: application/json' \\
               -d '{{"username": "mary", "password": "a lamb, white as snow"}}'
"""
_WATCH_INTERVAL = 0.5
"""Seconds between two looks at whether all is well."""


@dataclass(frozen=True)
class Options:
    """Options of `make run ARGS=…`."""

    template: Path
    host: str
    port: int
    """0 takes any free one."""
    origins: Collection[str]
    """Origins of web pages from elsewhere that may use the API; `*` is any."""
    state: Path | None
    """The file that keeps tables, queues and secrets; None starts empty and keeps nothing."""
    redis: str
    """`auto`, `none`, the name of a program to start, or the URL of a server that runs."""
    concurrency: int
    """How many events a function may handle at once."""
    parameters: Mapping[str, str]
    docker: bool
    """Whether SAM CLI serves the API, in containers."""
    build: bool
    """Whether `sam build` runs first."""
    authorizer_cache: bool
    """Whether the authorizer's policies are kept, as API Gateway does."""
    metrics: bool
    """Whether the functions' metrics are printed."""
    schedules: bool
    """Whether functions are called by their schedules."""


class _StoppedEarly(BaseException):
    """The stack is to stop before it is ready."""


def serve(options: Options) -> None:
    """Run the stack until SIGINT or SIGTERM, or until its parent ends; then leave nothing behind.

    Raises:
        LocalStackError: it could not start, or a part of it ended.
    """
    # First of all, or what happens during the start would go unnoticed.
    parent, modified = os.getppid(), _modified(options.template)
    ready, stopped = threading.Event(), threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            os._exit(130)  # the second time: all that was started ends with this process
        stopped.set()
        if not ready.is_set():
            raise _StoppedEarly

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    started = time.perf_counter()
    with contextlib.suppress(_StoppedEarly), _running(options) as (url, backends):
        from tools.local.console import say

        ready.set()
        say(_WELCOME.format(seconds=time.perf_counter() - started, url=url))
        _watch(stopped, parent, backends, options.template, modified)
        say("\nstopping; what is on its way is kept" if options.state else "\nstopping")
    if ready.is_set() and backends.has_failed:
        raise LocalStackError("The backends could not end as they should; what they said stands above.")


def _watch(
    stopped: threading.Event, parent: int, backends: Backends, template: Path, modified: float
) -> None:
    """Wait until the stack is to stop; say so when the template is modified.

    Raises:
        LocalStackError: the backends ended.
    """
    from tools.local.console import say

    while not stopped.wait(_WATCH_INTERVAL) and os.getppid() == parent:
        if not backends.are_running:
            raise LocalStackError("The backends ended, and the stack with them. Start it again.")
        if _modified(template) != modified:
            modified = _modified(template)
            say(f"{template} has changed; start the stack again to use it")


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0


@contextlib.contextmanager
def _running(options: Options) -> Iterator[tuple[str, Backends]]:
    """Run the stack; yields the URL of the API, and the backends."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(listener) for listener in _listen(options)]
        address, port = listeners[0].getsockname()[:2]
        if options.build:
            from tools.local.sam_local import build

            build(options.template)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(ENVIRONMENT)
        backends = Backends()
        stack.callback(backends.close)

        # Imported here, because it takes a second that the backends spend on their own start.
        from samcli.commands.local.lib.local_lambda import LocalLambdaRunner

        from tools.local import console, sam_local
        from tools.local.backends.redis_server import without_password
        from tools.local.gateway import own_routes
        from tools.local.gateway.origins import is_loopback
        from tools.local.gateway.server import Server
        from tools.local.gateway.service import Gateway
        from tools.local.recent_log import RecentLog
        from tools.local.runtime.warm import Functions, WarmRuntime
        from tools.local.template import load_template
        from tools.local.triggers.mappings import queue_mappings, stream_mappings
        from tools.local.triggers.schedules import Timers, schedules
        from tools.local.triggers.triggers import Triggers, invoker

        console.quiet_sam()
        console.configure(metrics=options.metrics)
        template = load_template(options.template, options.parameters)
        queues, streams = queue_mappings(template), stream_mappings(template)
        consumers: dict[str, list[str]] = {}
        for mapping in streams:
            consumers.setdefault(mapping.source, []).append(mapping.function)
        state = str(options.state) if options.state else None
        host = sam_local.docker_host() if options.docker else sam_local.NO_CONTAINERS
        endpoints = backends.configure(
            BackendsConfig(
                dict(template.resources),
                consumers,
                dict(template.parameters),
                state,
                options.redis,
                host.address,
            )
        )
        recent_log = RecentLog()

        def log(function: str, text: str) -> None:
            recent_log.add(text)
            console.function_line(function, text)

        runtime = WarmRuntime(
            template.root,
            {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoints.aws},
            {"REDIS_URL": endpoints.redis, "WEBHOOKS_TO_LOOPBACK": "true"},
            options.concurrency,
            log=log,
            report=console.function_failure,
        )
        stack.callback(runtime.close)
        root = str(template.root)
        runner = LocalLambdaRunner(runtime, template.functions, cwd=root, real_path=root)
        functions = Functions(runner, runtime)
        sources = backends.sources(endpoints)
        invoke = invoker(functions)
        triggers = Triggers(queues, streams, invoke, sources, log=console.delivery)
        stack.callback(triggers.stop)
        timers = Timers(schedules(template), invoke, console.delivery, start=options.schedules)
        stack.callback(timers.stop)
        runtime.preload()
        if options.docker:
            aws, redis = host.seen_from_containers(endpoints.aws), host.seen_from_containers(endpoints.redis)
            for listener in listeners:
                listener.close()
            api = sam_local.StartApi(template, options.parameters, aws, redis, host=options.host, port=port)
            stack.callback(api.close)
        else:
            gateway = Gateway(
                template,
                functions,
                port,
                console.request,
                console.function_failure,
                authorizer_cache=options.authorizer_cache,
                # Who listens on more than loopback serves others, who may know this machine by any name.
                hosts={options.host.lower()} if is_loopback(address) else None,
                origins=options.origins,
                routes=own_routes.routes(timers, recent_log),
            )
            server = Server(gateway, listeners)
            server.start()
            stack.callback(server.close)

        url = f"http://{_bracketed(options.host)}:{port}"
        parts = [
            ["API", f"{url}  (sam local start-api)" if options.docker else url],
            ["AWS", f"{endpoints.aws}  (ministack: DynamoDB, SQS, EventBridge, Secrets Manager)"],
            ["Redis", f"{without_password(endpoints.redis)}  ({endpoints.redis_program})".lstrip()],
            ["state", state or "kept nowhere (--no-state)"],
            ["functions", f"{len(list(template.functions.get_all()))}, each started when it is first called"],
        ]
        triggered_by = [
            [method, route.path, route.function_name, "signed in" if route.authorizer_object else ""]
            for route in sorted(template.api.routes, key=lambda route: (route.path, route.methods))
            for method in route.methods
            if method != "OPTIONS"  # API Gateway's own answer to preflights
        ]
        for kind, mappings in (("stream", streams), ("queue", queues)):
            triggered_by += [[kind, mapping.source, mapping.function] for mapping in mappings]
        if options.schedules:
            triggered_by += [
                ["schedule", each.expression, each.function]
                for each in timers.schedules
                if each.is_on and each.period
            ]
        for rows in (parts, triggered_by):
            console.say("")
            console.table(rows)
        console.say("")
        yield url, backends


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(options: Options) -> list[socket.socket]:
    """Take the port before anything is started, so that a taken one is told at once."""
    host, port = _bracketed(options.host), options.port
    try:
        # IPv4 first, because ::1 comes with 127.0.0.1 below
        family, *_, address = min(socket.getaddrinfo(options.host, port, type=socket.SOCK_STREAM))
        listeners = [socket.create_server(address, family=family)]
        if address[0] == "127.0.0.1":
            with contextlib.suppress(OSError):  # there is no IPv6, or the port is taken there
                own_port = listeners[0].getsockname()[1]
                listeners.append(socket.create_server(("::1", own_port), family=socket.AF_INET6))
        return listeners
    except (socket.gaierror, UnicodeError) as error:
        raise LocalStackError(
            f"Cannot listen on {host}:{port}: {host} is no known name or address."
        ) from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise LocalStackError(
                f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}."
            ) from error
        reason = f"Cannot listen on {host}:{port}: {os.strerror(error.errno)}"
        choice = f"--port {port + 1}"
        if options.state and StateFile.is_taken(options.state):
            reason += f", and another local stack uses {options.state}"
            choice += " --no-state"
        raise LocalStackError(
            f'{reason}. Stop what is there, or start this one beside it: make run ARGS="{choice}".'
        ) from error
