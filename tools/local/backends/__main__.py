"""The backends' process.

It reads one line of JSON from standard input (`BackendsConfig`), answers with one (`Endpoints`, or
`{"error": …}`), and ends when its standard input does: with the stack, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sqlite3
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from shared.cache.redis import RedisConnection, RedisError
from tools.local.backends.aws import Aws
from tools.local.backends.changes import NotSaved, Schema
from tools.local.backends.environment import LOOPBACK
from tools.local.backends.own_table import save_parameters
from tools.local.backends.process import BackendsConfig, Endpoints, SourcesManager
from tools.local.backends.redis_server import RedisServer, without_password
from tools.local.backends.resources import Resources
from tools.local.backends.server import serve
from tools.local.backends.sources import Sources
from tools.local.backends.state import StateFile
from tools.local.errors import LocalStackError

_SYNC_INTERVAL = 2
"""Seconds between two syncs of the state to the disk."""
_EXPIRY_INTERVAL = 60
"""Seconds between two looks for expired items."""


def main() -> None:
    """Serve until standard input ends."""
    line = sys.stdin.readline()
    if not line:
        return  # the stack ended before it sent its configuration
    config = BackendsConfig(**json.loads(line))
    with contextlib.ExitStack() as stack:
        try:
            aws, endpoints = _start(config, stack)
        except LocalStackError as error:
            print(json.dumps({"error": str(error)}), flush=True)
            sys.exit(1)
        print(json.dumps(asdict(endpoints)), flush=True)
        expires_at = 0.0
        while not select.select([sys.stdin], [], [], _SYNC_INTERVAL)[0]:
            aws.sync()
            if time.monotonic() >= expires_at:
                aws.expire()
                expires_at = time.monotonic() + _EXPIRY_INTERVAL
        aws.sync()
    os._exit(0)  # immediately, even with open connections


def _start(config: BackendsConfig, stack: contextlib.ExitStack) -> tuple[Aws, Endpoints]:
    resources = Resources(config.resources)
    schema = Schema(resources.keys(), config.consumers, resources.expiries())
    state = StateFile(Path(config.state), schema) if config.state else None
    aws = Aws(schema, state)
    redis = _redis(config.redis, config.host, stack)
    listener = socket.create_server((config.host, 0), backlog=512)
    names = sorted({config.host, LOOPBACK, "localhost", "host.docker.internal"})
    threading.Thread(target=serve, args=(aws, listener, names), daemon=True).start()
    url = f"http://{config.host}:{listener.getsockname()[1]}"
    resources.create(url)
    try:
        aws.restore()
    except (sqlite3.Error, OSError) as error:
        if state is None:
            raise
        raise state.explain(error) from error
    except NotSaved as error:
        raise LocalStackError("The state cannot be saved; the reason stands above.") from error
    save_parameters(aws.call, config.parameters)
    sources = Sources(aws)
    SourcesManager.register("sources", lambda: sources)
    manager = SourcesManager((LOOPBACK, 0), config.key.encode()).get_server()
    threading.Thread(target=manager.serve_forever, daemon=True).start()
    return aws, Endpoints(url, *redis, sources=manager.address[1])  # type: ignore[index, arg-type]


def _redis(choice: str, host: str, stack: contextlib.ExitStack) -> tuple[str, str]:
    """Start Redis for as long as the stack runs, if the options say so; returns its URL and program."""
    if choice == "none":
        return "", "none: nothing is cached"
    if "://" in choice:
        try:
            RedisConnection(choice).call("PING")
        except ValueError as error:
            raise LocalStackError(f"{error}. Give another --redis.") from error
        except RedisError as error:
            print(
                f"warning: {without_password(choice)} does not answer ({error}); lists are not cached",
                file=sys.stderr,
            )
        return choice, "your own"
    server = RedisServer(None if choice == "auto" else choice, host=host)
    stack.callback(server.stop)
    return server.url, server.program


if __name__ == "__main__":
    main()
