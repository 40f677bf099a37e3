"""Starts the parts of the local stack, and ends them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.local.backends.environment import ENVIRONMENT
from tools.local.backends.process import Backends, BackendsConfig
from tools.local.listeners import bracketed, listen
from tools.local.options import Options

if TYPE_CHECKING:  # imported once the backends start
    from tools.local.template import Template
    from tools.local.triggers.mappings import EventSourceMapping
    from tools.local.triggers.schedules import Timers


@contextlib.contextmanager
def running(options: Options) -> Iterator[tuple[str, Backends]]:
    """Start the parts in order, and end them in the other; yields the URL of the API, and the backends.

    Raises:
        LocalStackError: a part could not start.
    """
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(each) for each in listen(options.host, options.port, options.state)]
        address, port = listeners[0].getsockname()[:2]
        if options.build:
            from tools.local.sam_local import build

            build(options.template)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(ENVIRONMENT)
        backends = Backends()
        stack.callback(backends.close)

        # Imported here, because this takes a second, in which the backends start.
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
                # Beyond loopback, clients may know this machine by any name.
                hosts={options.host.lower()} if is_loopback(address) else None,
                origins=options.origins,
                routes=own_routes.routes(timers, recent_log),
            )
            server = Server(gateway, listeners)
            server.start()
            stack.callback(server.close)

        url = f"http://{bracketed(options.host)}:{port}"
        rows = [
            ["API", f"{url}  (sam local start-api)" if options.docker else url],
            ["AWS", f"{endpoints.aws}  (ministack: DynamoDB, SQS, EventBridge, Secrets Manager)"],
            ["Redis", f"{without_password(endpoints.redis)}  ({endpoints.redis_program})".lstrip()],
            ["state", state or "kept nowhere (--no-state)"],
            ["functions", f"{len(list(template.functions.get_all()))}, each started when it is first called"],
        ]
        console.say("")
        console.table(rows)
        console.say("")
        console.table(
            [*_routes(template), *_triggers(streams, queues, timers if options.schedules else None)]
        )
        console.say("")
        yield url, backends


def _routes(template: Template) -> list[list[str]]:
    """List the routes, and the functions that answer them."""
    return [
        [method, route.path, route.function_name, "signed in" if route.authorizer_object else ""]
        for route in sorted(template.api.routes, key=lambda route: (route.path, route.methods))
        for method in route.methods
        if method != "OPTIONS"  # API Gateway's own answer to preflights
    ]


def _triggers(
    streams: list[EventSourceMapping], queues: list[EventSourceMapping], timers: Timers | None
) -> list[list[str]]:
    """List the other triggers of functions."""
    scheduled = [each for each in timers.schedules if each.is_on and each.period] if timers else []
    return [
        *(["stream", each.source, each.function] for each in streams),
        *(["queue", each.source, each.function] for each in queues),
        *(["schedule", each.expression, each.function] for each in scheduled),
    ]
