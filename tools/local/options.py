"""Options of the local stack: `make run ARGS=…`."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.local.backends.redis_server import FAKE, INSTALLED

_CONCURRENCY = min(4, max(2, os.cpu_count() or 2))
"""By default no more workers than cores, because further ones take memory and speed up nothing."""


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


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults of options, but not those of switches."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default else action.help


def parse_options(arguments: list[str]) -> Options:
    """Parse the command line; missing options come from the environment, then from the defaults."""
    parser = argparse.ArgumentParser(
        prog='make run ARGS="…"',
        description="Serve the Task API on this machine: real Lambda handlers behind API Gateway's routes, "
        "with an emulator in the place of AWS. Needs no Docker and no account.",
        formatter_class=_HelpFormatter,
    )
    parser.add_argument(
        "--host", default=os.environ.get("TASK_API_HOST") or "127.0.0.1", help="address to listen on"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=os.environ.get("TASK_API_PORT") or "3000",
        help="port to listen on; 0 for any",
    )
    parser.add_argument(
        "--allow-origin",
        type=_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="origin of other web pages that may use the API, such as https://app.example, or * for "
        "any; may be repeated",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(".local/state.db"),
        help="file that keeps tasks, users and pending messages",
        metavar="FILE",
    )
    parser.add_argument("--no-state", action="store_true", help="start empty and keep nothing")
    parser.add_argument(
        "--parameter",
        type=_parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template, such as SignUp=disabled; may be repeated",
    )
    parser.add_argument(
        "--redis",
        default=os.environ.get("TASK_API_REDIS") or "auto",
        type=_redis,
        help="where the list is cached: redis-server, valkey-server or fakeredis is started, auto starts "
        "the first of these that is there, none caches nothing, and a URL is that of a server of your own",
        metavar="SERVER",
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=_CONCURRENCY,
        choices=range(1, 33),
        metavar="N",
        help="workers that a function may have for concurrent events",
    )
    parser.add_argument(
        "--no-authorizer-cache",
        action="store_true",
        help="ask the authorizer at each request, where API Gateway keeps its answer for minutes",
    )
    parser.add_argument(
        "--no-schedules",
        action="store_true",
        help="do not call functions by their schedules; `make schedule` calls them when you want",
    )
    parser.add_argument("--no-metrics", action="store_true", help="do not print the functions' metrics")
    parser.add_argument(
        "--docker",
        action="store_true",
        help="serve the API by `sam local start-api` from the output of `sam build`",
    )
    parser.add_argument(
        "--build", action="store_true", help="run `sam build` first; `make sam-local` is --docker --build"
    )
    parser.add_argument(
        "--template", type=Path, default=Path("template.yaml"), help="SAM template", metavar="FILE"
    )
    chosen = parser.parse_args(arguments)
    return Options(
        template=chosen.template,
        host=chosen.host,
        port=chosen.port,
        origins=chosen.allow_origin,
        state=None if chosen.no_state else chosen.state.resolve(),
        redis=chosen.redis,
        concurrency=chosen.concurrency,
        parameters=dict(chosen.parameter),
        docker=chosen.docker,
        build=chosen.build,
        authorizer_cache=not chosen.no_authorizer_cache,
        metrics=not chosen.no_metrics,
        schedules=not chosen.no_schedules,
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
    return int(text)


def _origin(text: str) -> str:
    if not re.fullmatch(r"\*|https?://[^/?#@\s]+", text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is no origin; give one such as https://app.example, or *")
    return text.lower()


def _redis(text: str) -> str:
    if text in {"auto", "none", FAKE, *INSTALLED} or text.startswith(("redis://", "rediss://")):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is none of auto, none, {', '.join(INSTALLED)}, {FAKE} and redis://…"
    )


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
