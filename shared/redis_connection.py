"""A connection to Redis or Valkey: hiredis speaks the protocol, and the rest is a socket with bounded waits.

redis-py can do much more, and to import it takes a fifth of a cold start.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

CONNECT_TIMEOUT = 0.03
"""Seconds that connecting may take."""
TIMEOUT = 0.035
"""Seconds to wait for each answer, that of the TLS handshake included. A request waits for 0.1 s at most."""
_CHUNK = 65_536
"""Bytes to receive at once."""


class RedisError(Exception):
    """The server cannot be reached, is too slow, or refuses."""


class RedisConnection:
    """A connection that is opened when it is first used, and anew when it was lost."""

    _socket: socket.socket | None = None

    def __init__(self, url: str) -> None:
        """Prepare it.

        Args:
            url: `redis://[[user]:password@]host[:port][/database]`, or with TLS `rediss://…`. It may have
                two of redis-py's options: `socket_timeout`, in seconds, and `ssl_ca_certs`, a file.
        """
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._address = parts.hostname or "localhost", parts.port or 6379
        self._timeout = float(options.get("socket_timeout", TIMEOUT))
        self._tls = ssl.create_default_context() if parts.scheme == "rediss" else None
        if self._tls and "ssl_ca_certs" in options:
            self._tls.load_verify_locations(options["ssl_ca_certs"])
        self._greeting: list[tuple[str, ...]] = []
        if parts.password:
            credentials = [unquote(each) for each in (parts.username, parts.password) if each]
            self._greeting.append(("AUTH", *credentials))
        if database := parts.path.strip("/"):
            self._greeting.append(("SELECT", database))

    def call(self, *command: str) -> Any:
        """Send a command and wait for its answer.

        On a connection that turns out to be lost the command is sent once more, so it must be one that may
        be executed twice. Servers close idle connections while an execution environment is frozen.

        Raises:
            RedisError: there is no answer in time, or it is an error.
        """
        was_open = self._socket is not None
        try:
            try:
                return self._ask(command)
            except TimeoutError:
                raise
            except OSError:
                if not was_open:
                    raise
                self.close()
                return self._ask(command)
        except (OSError, hiredis.ProtocolError) as error:
            self.close()
            raise RedisError(f"{type(error).__name__}: {error}") from error

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, command: tuple[str, ...]) -> Any:
        if self._socket is None:
            self._connect()
            for each in self._greeting:
                self._exchange(each)
        return self._exchange(command)

    def _connect(self) -> None:
        connected = socket.create_connection(self._address, CONNECT_TIMEOUT)
        try:
            connected.settimeout(self._timeout)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connected = self._tls.wrap_socket(connected, server_hostname=self._address[0])
        except BaseException:
            connected.close()
            raise
        self._socket = connected
        self._reader = hiredis.Reader(encoding="utf-8")

    def _exchange(self, command: tuple[str, ...]) -> Any:
        assert self._socket is not None  # noqa: S101 (for the type checker)
        self._socket.sendall(hiredis.pack_command(command))  # type: ignore[arg-type]
        while (answer := self._reader.gets()) is False:
            received = self._socket.recv(_CHUNK)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            self._reader.feed(received)
        if isinstance(answer, hiredis.ReplyError):
            if command in self._greeting:
                self.close()
            raise RedisError(str(answer)) from answer
        return answer
