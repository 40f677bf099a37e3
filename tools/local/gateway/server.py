"""Serves the gateway with waitress, on sockets that are bound already."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.server import TcpWSGIServer, create_server
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest, RequestEntityTooLarge

from shared.api import problems
from tools.local.gateway import gateway_responses as kinds
from tools.local.gateway.events import HEADER_FIELDS
from tools.local.gateway.service import MAX_BODY, Gateway
from tools.local.log_entries import RequestLogEntry

_THREADS = 16
_IDLE_TIMEOUT = 75
"""Seconds for which an idle connection is kept, and in which a request must have arrived."""
_MAX_WAITING = 100
"""Connections, idle or in the middle of a request, that are kept: few, for descriptors have a limit."""
_MAX_HEADER = 10_240
"""Bytes of a request's line and headers. See
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
"""
_MAX_RECEIVED = 10 * MAX_BODY
"""Bytes. A body of up to this is received, so that the client reads why it is refused; then it is cut off."""
_STOP_TIMEOUT = 5

_HOST = rb"(?:[\w.~-]+|\[[\dA-Fa-f:.]+\])(?::\d*)?"
_REQUEST_LINE = re.compile(rb"[^ ]+ (?:/|(?i:https?)://%s(?=[/? ]))[!\"$-~]* HTTP/1\.[01]" % _HOST, re.ASCII)
_HOST_VALUE = re.compile(_HOST.decode(), re.ASCII)


class Server:
    """Runs the gateway in threads."""

    def __init__(
        self, gateway: Gateway, sockets: Sequence[socket.socket], *, idle_timeout: int = _IDLE_TIMEOUT
    ) -> None:
        """Take the connections of some sockets; `start` answers them."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # hide warnings that requests wait
        self._map: dict[int, Any] = {}
        create_server(
            gateway.application,
            map=self._map,
            sockets=sockets,
            threads=_THREADS,
            ident="",
            channel_timeout=idle_timeout,
            cleanup_interval=min(idle_timeout, 30),
            max_request_header_size=_MAX_HEADER,
            max_request_body_size=_MAX_RECEIVED + 1,
            connection_limit=500,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,  # functions get the headers that the client sent
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
        while self._map:
            wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
            self._make_room()

    def _make_room(self) -> None:
        """Close connections that wait longest for their clients, if many do."""
        channels = [each for each in self._map.values() if isinstance(each, HTTPChannel)]
        waiting = [each for each in channels if not each.requests]
        waiting.sort(key=lambda each: each.last_activity)
        for each in waiting[:-_MAX_WAITING]:
            each.will_close = True
            with suppress(OSError):  # waitress alone would wait for its client to read
                each.socket.shutdown(socket.SHUT_RDWR)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses requests that servers interpret differently, and keeps the header fields as they were sent.

    Waitress is lenient, and joins the values of a repeated name. See RFC 9112, sections 3, 5.2, 6.1 and 11.2.
    """

    completed: bool
    fields: Sequence[tuple[str, str]] = ()

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.chunked and not self.completed:
            chunks = self.body_rcv
            if chunks.chunk_remainder > _MAX_RECEIVED:
                self.error = RequestEntityTooLarge("a chunk is too large")
            elif len(chunks.control_line) + len(chunks.trailer) > _MAX_HEADER:
                self.error = BadRequest("a chunk's size or the trailer is too long")
            self.completed = self.error is not None
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except (TransferEncodingNotImplemented, ValueError) as error:  # such as a length of 5,000 digits
            raise ParsingError(str(error)) from error
        request_line, *lines = header_plus.rstrip(b"\r\n").split(b"\r\n")
        pairs = (line.decode("latin-1").partition(":") for line in lines)
        self.fields = [(name, value.strip(" \t")) for name, _, value in pairs]
        if not _REQUEST_LINE.fullmatch(request_line):
            raise ParsingError("not a request line of HTTP/1.1")
        if any(line.startswith((b" ", b"\t")) for line in lines):
            raise ParsingError("a header is folded")
        hosts = self._values("host")
        if len(hosts) > 1 or (self.version == "1.1" and not hosts):
            raise ParsingError("not one Host")
        if not all(map(_HOST_VALUE.fullmatch, hosts)):
            raise ParsingError("Host is none")
        codings = self._values("transfer-encoding")
        is_one_length = self.version == "1.1" and not self._values("content-length")
        if codings and not (is_one_length and [each.lower() for each in codings] == ["chunked"]):
            raise ParsingError("the length of the body is ambiguous")

    def _values(self, name: str) -> list[str]:
        return [value for given, value in self.fields if given.lower() == name]


class _SpelledAsGiven:
    """Sends the names of headers as functions and template spell them; waitress capitalizes each part.

    Reason phrases are those of RFC 9110; werkzeug's are in upper case.
    """

    status: str
    response_headers: list[tuple[str, str]]

    def build_response_header(self) -> bytes:
        code, phrase = int(self.status[:3]), ""
        with suppress(ValueError):  # functions may use unknown statuses
            phrase = problems.phrase(HTTPStatus(code))
        self.status = f"{code} {phrase}"
        names = {name.lower().encode(): name.encode() for name, _ in self.response_headers}
        header: bytes = super().build_response_header()  # type: ignore[misc]
        return re.sub(rb"(?m)^[\w-]+(?=: )", lambda found: names.get(found[0].lower(), found[0]), header)


class _Task(_SpelledAsGiven, WSGITask):  # type: ignore[misc]
    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[HEADER_FIELDS] = self.request.fields
        return environ


def _channel(gateway: Gateway) -> type[HTTPChannel]:
    """Make the class of connections, by which waitress lets parsing and errors be replaced."""

    class RefusalTask(_SpelledAsGiven, ErrorTask):  # type: ignore[misc]
        """Answers invalid HTTP, in the template's words."""

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

        last_activity: float
        close = HTTPChannel.handle_close  # also frees buffers

        def handle_read(self) -> None:
            """Read, but count a connection as idle since its request began, however slowly that arrives."""
            request, began = self.request, self.last_activity
            super().handle_read()
            if request is not None and self.request is request:
                self.last_activity = began

    return Channel
