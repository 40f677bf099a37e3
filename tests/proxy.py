"""A TCP proxy that fails as networks do."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from enum import Enum
from urllib.parse import urlsplit


class Network(Enum):
    """The behavior of the network between a client and its server."""

    WELL = "well"
    RESETS = "resets"
    """It resets connections when the client sends."""
    SWALLOWS = "swallows"
    """It drops what the client sends."""
    LOSES_ANSWERS = "loses answers"
    """The server receives the request, but the client receives no response."""
    LOSES_ONE_ANSWER = "loses one answer"
    CUTS_ANSWERS = "cuts answers"
    """The connection is reset in the middle of the response."""


class Proxy:
    """Forwards connections from clients to a server."""

    def __init__(self, url: str) -> None:
        """Listen for clients, and forward to the server at a URL."""
        parts = urlsplit(url)
        self.network = Network.WELL
        self.server = parts.hostname, parts.port
        """Host and port that new connections go to."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{parts.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        # The local AWS accepts only its own name in Host.
        self._hosts = (f"Host: {urlsplit(self.url).netloc}".encode(), f"Host: {parts.netloc}".encode())
        self._open: list[socket.socket] = []
        self._dropped: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                try:
                    server = socket.create_connection(self.server)
                except OSError:
                    _reset(client)
                    continue
                self._open.append(server)
                for pump in (self._requests, self._answers):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                if self.network is Network.RESETS:
                    break
                if self.network is not Network.SWALLOWS and client not in self._dropped:
                    server.sendall(data.replace(*self._hosts))
        _reset(client, server)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                if self.network is Network.CUTS_ANSWERS:
                    client.sendall(data[: len(data) // 2])
                if self.network is Network.LOSES_ONE_ANSWER:
                    self.network = Network.WELL
                    break
                if self.network in {Network.LOSES_ANSWERS, Network.CUTS_ANSWERS}:
                    break
                client.sendall(data)
        _reset(client, server)

    def drop(self) -> None:
        """Drop what clients send on connections that are open now, without closing them."""
        self._dropped.update(self._open)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        _reset(*self._open)


def _reset(*connections: socket.socket) -> None:
    for each in connections:
        with suppress(OSError):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.shutdown(socket.SHUT_RDWR)  # wakes up threads that read from it
        each.close()
