"""Redis on this machine: an installed server, or else fakeredis.

`python -m local.redis_server HOST PORT` serves fakeredis.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time

from local.errors import LocalStackError

INSTALLED = ("redis-server", "valkey-server")
FAKE = "fakeredis"
_START_TIMEOUT = 30


class RedisServer:
    """A server of its own that keeps nothing on disk."""

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
        try:
            self._process = subprocess.Popen(  # noqa: S603 (one of three programs)
                _command(self.program, host, self.port),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C must not end it before the functions have ended
            )
        except FileNotFoundError as error:
            raise LocalStackError(
                f"{self.program} is not installed. Install it, or start with --redis {FAKE}."
            ) from error
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        import redis

        deadline = time.monotonic() + _START_TIMEOUT
        with redis.Redis.from_url(self.url, socket_timeout=1) as client:
            while self._process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(redis.RedisError):
                    client.ping()
                    return
                time.sleep(0.01)
        self.stop()
        raise LocalStackError(f"{self.program} does not start. Try another with --redis, such as {FAKE}.")

    def stop(self) -> None:
        """End the server; what it holds is lost, so there is nothing to wait for."""
        self._process.kill()
        self._process.wait()


def _command(program: str, host: str, port: int) -> list[str]:
    if program == FAKE:
        return [sys.executable, "-m", "local.redis_server", host, str(port)]
    # Protected mode would refuse containers, which do not come through the loopback interface.
    options = {"bind": host, "port": str(port), "protected-mode": "no", "save": "", "loglevel": "warning"}
    return [program, *(part for name, value in options.items() for part in (f"--{name}", value))]


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
