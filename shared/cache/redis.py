"""A connection to Redis or Valkey: hiredis parses the protocol, and a socket with one deadline carries it.

Importing redis-py would take a fifth of a cold start.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from shared.clock import Moment

TIMEOUT = 0.1
"""Deadline of a call in seconds, connecting and the TLS handshake included. Resolving the host's name is not:
the system offers no deadline for it."""
CONNECT_TIMEOUT = 0.03
"""Connection timeout per resolved address, in seconds."""
IDLE = 1.0
"""Seconds of idleness after which a connection may have been dropped silently."""
_OPTIONS = {"timeout", "ssl_ca_certs"}
_FORM = "redis://[[user]:password@]host[:port][/database][?timeout=…&ssl_ca_certs=…], or rediss:// with TLS"
_CHUNK = 65_536
"""Bytes to receive at once."""


class RedisError(Exception):
    """The server is unreachable, too slow, or refuses."""


class RedisConnection:
    """A connection, opened on first use and reopened when it was lost."""

    _socket: socket.socket | None = None
    _used: Moment

    def __init__(self, url: str) -> None:
        """Prepare it.

        Args:
            url: `redis://[[user]:password@]host[:port][/database]`, or with TLS `rediss://…`. It may have
                two options: `timeout`, in seconds, and `ssl_ca_certs`, a file with the certificates to trust
                in place of the system's.

        Raises:
            ValueError: the URL is another kind of URL. The error does not quote it: it may hold a password.
        """
        try:
            parts = urlsplit(url)
            options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            self._address = parts.hostname or "localhost", parts.port or 6379
            self._timeout = float(options.get("timeout", TIMEOUT))
            is_valid = parts.scheme in {"redis", "rediss"} and options.keys() <= _OPTIONS
        except ValueError:
            is_valid = False
        if not is_valid:
            raise ValueError(f"The URL of Redis is not {_FORM}") from None
        # Named, because to read all certificates that the system trusts takes a tenth of a cold start.
        trusted = options.get("ssl_ca_certs")
        self._tls = ssl.create_default_context(cafile=trusted) if parts.scheme == "rediss" else None
        self._greeting: list[tuple[str, ...]] = []
        if parts.password:
            credentials = [unquote(each) for each in (parts.username, parts.password) if each]
            self._greeting.append(("AUTH", *credentials))
        if database := parts.path.strip("/"):
            self._greeting.append(("SELECT", database))

    def call(self, *command: str) -> Any:
        """Send a command and wait for its reply.

        On a connection that has been idle it gets half of the time. After that, or when the connection
        breaks, it is sent once more on a new one, so it must be idempotent. While Lambda froze us, the server
        may have closed the connection, or a proxy dropped it without a word.

        Raises:
            RedisError: there is no reply in time, or it is an error.
        """
        return self._call([command], can_repeat=True)[0]

    def pipeline(self, *commands: tuple[str, ...]) -> list[Any]:
        """Send commands in one round trip, and once only; returns their replies.

        Raises:
            RedisError: there is no reply in time, or one is an error. They may have been executed.
        """
        return self._call(commands, can_repeat=False)

    def _call(self, commands: Sequence[tuple[str, ...]], *, can_repeat: bool) -> list[Any]:
        deadline = time.monotonic() + self._timeout
        try:
            if can_repeat and self._socket is not None:
                self._deadline = deadline - (self._timeout / 2 if self._used.age > IDLE else 0)
                try:
                    return self._ask(commands)
                except OSError:
                    self.close()
            self._deadline = deadline
            return self._ask(commands)
        except (OSError, UnicodeError, hiredis.ProtocolError, hiredis.ReplyError) as error:
            self.close()
            raise RedisError(f"{type(error).__name__}: {error}") from error

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        if self._socket is None:
            self._socket = self._connect()
            self._reader = hiredis.Reader(encoding="utf-8")
            if self._greeting:
                self._exchange(self._socket, self._greeting)
        return self._exchange(self._socket, commands)

    def _connect(self) -> socket.socket:
        connected = self._connect_to_any_address()
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return connected
            connected.settimeout(self._time_left())
            return self._tls.wrap_socket(connected, server_hostname=self._address[0])
        except BaseException:
            connected.close()
            raise

    def _connect_to_any_address(self) -> socket.socket:
        failures = []
        for *_, address in socket.getaddrinfo(*self._address, type=socket.SOCK_STREAM):
            try:
                found = str(address[0]), self._address[1]
                return socket.create_connection(found, min(CONNECT_TIMEOUT, self._time_left()))
            except OSError as error:
                failures.append(error)
        raise failures[0]

    def _exchange(self, connected: socket.socket, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        connected.settimeout(self._time_left())
        connected.sendall(b"".join(hiredis.pack_command(command) for command in commands))  # type: ignore[arg-type]
        replies = [self._receive(connected) for _ in commands]
        self._used = Moment.now()
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise reply
        return replies

    def _receive(self, connected: socket.socket) -> Any:
        while (reply := self._reader.gets()) is False:
            connected.settimeout(self._time_left())
            received = connected.recv(_CHUNK)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            self._reader.feed(received)
        return reply

    def _time_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left
