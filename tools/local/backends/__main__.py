"""The backends' process.

It reads one line of JSON from standard input (`BackendsConfig`), answers with one (`Endpoints`, or
`{"error": …}`), and ends when its standard input does: with the stack, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from dataclasses import asdict
from pathlib import Path

import boto3
from hypercorn.asyncio import serve
from hypercorn.config import Config

from shared.cache.redis import RedisConnection, RedisError
from tools.local.backends.changes import Schema
from tools.local.backends.environment import LOOPBACK
from tools.local.backends.own_table import OWN_KEY, OWN_TABLE, create_own_table
from tools.local.backends.process import BackendsConfig, Endpoints
from tools.local.backends.recorder import Recorder
from tools.local.backends.redis_server import RedisServer, without_password
from tools.local.backends.resources import Resources
from tools.local.backends.server import Application
from tools.local.backends.state import StateFile
from tools.local.errors import LocalStackError

_SYNC_INTERVAL = 2
"""Seconds between two times at which the disk is made to have what was written."""
_KEEP_ALIVE = 600
"""Seconds for which idle connections are kept; functions use theirs again after long pauses."""


def main() -> None:
    """Serve until standard input ends."""
    line = sys.stdin.readline()
    if not line:
        return  # the stack gave up before it knew what it needs
    status = asyncio.new_event_loop().run_until_complete(_serve(BackendsConfig(**json.loads(line))))
    sys.stdout.flush()
    os._exit(status)  # at once, though clients keep connections open


async def _serve(config: BackendsConfig) -> int:
    """Serve until standard input ends; returns the exit status."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    resources = Resources(config.resources)
    schema = Schema({**resources.keys(), OWN_TABLE: [OWN_KEY]}, config.consumers)
    with contextlib.ExitStack() as stack:
        try:
            state = StateFile(Path(config.state), schema) if config.state else None
            redis = await asyncio.to_thread(_redis, config.redis, config.host, stack)
        except LocalStackError as error:
            print(json.dumps({"error": str(error)}), flush=True)
            return 1
        recorder = Recorder(schema, state)
        url, server = _listen(config.host, recorder)
        await asyncio.to_thread(resources.create, url)
        await asyncio.to_thread(create_own_table, boto3.client("dynamodb", endpoint_url=url))
        recorder.restore()
        print(json.dumps(asdict(Endpoints(url, *redis))), flush=True)
        while not ended.is_set() and not server.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _SYNC_INTERVAL)
            recorder.sync()
    return 0 if ended.is_set() else 1


def _listen(host: str, recorder: Recorder) -> tuple[str, asyncio.Task[None]]:
    """Serve the emulator on a free port; returns its URL, and the server."""
    listener = socket.create_server((host, 0), backlog=512)
    port = listener.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = _KEEP_ALIVE
    config.loglevel = "ERROR"
    names = sorted({host, LOOPBACK, "localhost", "host.docker.internal"})
    application = Application([f"{name}:{port}" for name in names], recorder)
    never = asyncio.Event()
    server = serve(application, config, shutdown_trigger=never.wait)  # type: ignore[arg-type]
    return f"http://{host}:{port}", asyncio.create_task(server)


def _redis(choice: str, host: str, stack: contextlib.ExitStack) -> tuple[str, str]:
    """Start Redis, until the stack closes, if it is to be started; returns its URL and what it is."""
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
