"""Serves the gateway with waitress, on sockets that are bound already."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer, create_server
from waitress.task import ErrorTask, WSGITask

from local.gateway import gateway_responses as kinds
from local.gateway.events import HEADER_FIELDS
from local.gateway.service import MAX_BODY, Gateway
from local.log_entries import RequestLogEntry

_THREADS = 16
_IDLE_TIMEOUT = 75
"""Seconds for which an idle connection is kept."""
_MAX_RECEIVED = 10 * MAX_BODY
"""Bytes. A body of up to this is received, so that the client reads why it is refused; then it is cut off."""
_STOP_TIMEOUT = 5


class Server:
    """Runs the gateway in threads."""

    def __init__(self, gateway: Gateway, sockets: Sequence[socket.socket]) -> None:
        """Take the connections of some sockets; `start` answers them."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that requests wait is no news here
        self._map: dict[int, Any] = {}
        create_server(
            gateway.application,
            map=self._map,
            sockets=sockets,
            threads=_THREADS,
            ident="",
            channel_timeout=_IDLE_TIMEOUT,
            max_request_body_size=_MAX_RECEIVED + 1,
            connection_limit=500,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,  # functions are told what the client sent
            log_socket_errors=False,
        )
        self._servers = [server for server in self._map.values() if isinstance(server, TcpWSGIServer)]
        channel = _channel(gateway)
        for server in self._servers:
            server.channel_class = channel
        self._thread = threading.Thread(target=self._loop, name="gateway", daemon=True)

    def start(self) -> None:
        """Answer requests from now on."""
        self._thread.start()

    def close(self) -> None:
        """Let requests that are being answered end, and close all connections."""
        first = self._servers[0]
        first.task_dispatcher.shutdown(timeout=_STOP_TIMEOUT)
        first.trigger.pull_trigger(lambda: wasyncore.close_all(self._map))
        self._thread.join(_STOP_TIMEOUT)

    def _loop(self) -> None:
        wasyncore.loop(timeout=1, use_poll=True, map=self._map)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Keeps the header fields as they were sent; waitress joins the values of a repeated name."""

    fields: Sequence[tuple[str, str]] = ()

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        lines = re.sub(rb"\r\n[ \t]+", b" ", header_plus).split(b"\r\n")[1:]
        pairs = (line.decode("latin-1").partition(":") for line in lines if line)
        self.fields = [(name, value.strip(" \t")) for name, _, value in pairs]


class _Task(WSGITask):  # type: ignore[misc]
    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[HEADER_FIELDS] = self.request.fields
        return environ


def _channel(gateway: Gateway) -> type[HTTPChannel]:
    """Make the class of connections, by which waitress lets parsing and errors be replaced."""

    class RefusalTask(ErrorTask):  # type: ignore[misc]
        """Answers what is no HTTP request, in the template's words."""

        def execute(self) -> None:
            started = time.perf_counter()
            status, kind = self.request.error.code, kinds.DEFAULT_4XX
            if status >= 500:
                kind = kinds.DEFAULT_5XX
            elif status == 413:
                kind = kinds.REQUEST_TOO_LARGE
            response = gateway.responses.make(kind, str(uuid.uuid4()), status)
            body = response.body.encode()
            self.status = f"{response.status} {self.request.error.reason}"
            self.response_headers.extend(response.headers.items())
            self.set_close_on_finish()
            self.content_length = len(body)
            self.write(body)
            method = getattr(self.request, "command", "") or "?"
            path = getattr(self.request, "request_uri", "") or "?"
            seconds = time.perf_counter() - started
            gateway.log(RequestLogEntry(method, path, response.status, seconds, function=None, cache=None))

    class Channel(HTTPChannel):  # type: ignore[misc]
        parser_class = _Parser
        task_class = _Task
        error_task_class = RefusalTask

    return Channel
