"""Redis on this machine: an installed server, or else fakeredis.

`python -m tools.local.backends.redis_server HOST PORT` serves fakeredis.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import sys
import time

from shared.cache.redis import RedisConnection, RedisError
from tools.local.errors import LocalStackError

INSTALLED = ("redis-server", "valkey-server")
FAKE = "fakeredis"
_START_TIMEOUT = 30
_ENDS_WITH_STANDARD_INPUT = """
exec 3<&0
(cat <&3 >/dev/null; kill -KILL $$ 2>/dev/null) &
exec "$@" 3<&-
"""
"""Runs a program that is killed when standard input ends: with the process that started it."""


class RedisServer:
    """A server that keeps nothing on disk."""

    def __init__(self, program: str | None = None, port: int | None = None, host: str = "127.0.0.1") -> None:
        """Start it, and wait until it answers.

        Args:
            program: `redis-server`, `valkey-server` or `fakeredis`; by default the first that is there.
            port: The port to listen on; by default a free one.
            host: The address to listen on.

        Raises:
            LocalStackError: it is not installed, or does not start.
        """
        self.program = program or next(filter(shutil.which, INSTALLED), FAKE)
        self.port = port or free_port(host)
        self.url = f"redis://{host}:{self.port}"
        if self.program != FAKE and not shutil.which(self.program):
            raise LocalStackError(
                f"{self.program} is not installed. Install it, or start with --redis {FAKE}."
            )
        self._process = subprocess.Popen(  # noqa: S603 (one of three programs)
            ["sh", "-c", _ENDS_WITH_STANDARD_INPUT, "sh", *_command(self.program, host, self.port)],  # noqa: S607
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not end it before the functions have ended
        )
        self._wait_until_ready()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(RedisError):
                RedisConnection(self.url).call("PING")
                return
            time.sleep(0.01)
        self.stop()
        raise LocalStackError(f"{self.program} does not start. Try another with --redis, such as {FAKE}.")

    def stop(self) -> None:
        """End the server, without waiting: its data is disposable."""
        self._process.kill()
        self._process.communicate()


def _command(program: str, host: str, port: int) -> list[str]:
    if program == FAKE:
        return [sys.executable, "-m", "tools.local.backends.redis_server", host, str(port)]
    # Protected mode would refuse containers, which do not come through the loopback interface.
    options = {"bind": host, "port": str(port), "protected-mode": "no", "save": "", "loglevel": "warning"}
    return [program, *(part for name, value in options.items() for part in (f"--{name}", value))]


def without_password(url: str) -> str:
    """Return a server's URL without its password."""
    return re.sub(r"(://[^/?#]*:).*@", r"\1***@", url)


def free_port(host: str = "127.0.0.1") -> int:
    """Find a port that nothing listens on."""
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Serve fakeredis."""
    from fakeredis import TcpFakeServer

    TcpFakeServer.request_queue_size = 128  # 5 would refuse functions that connect at once
    TcpFakeServer((sys.argv[1], int(sys.argv[2]))).serve_forever()


if __name__ == "__main__":
    main()
