"""AWS over HTTP, only for AWS clients of this machine."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import waitress

from tools.local.backends import emulator
from tools.local.backends.aws import Aws
from tools.local.backends.changes import NotSaved

MOST_BYTES = 16_777_216
"""Maximum size of a request; DynamoDB's own limit."""
_KEEP_ALIVE = 600
"""Seconds for which idle connections are kept; functions use theirs again after long pauses."""
_THREADS = 8
_MAX_CONNECTIONS = 1_000


def serve(aws: Aws, listener: socket.socket, names: Collection[str]) -> None:
    """Serve AWS, for as long as the process runs.

    Args:
        aws: Handles the requests.
        listener: Where they arrive.
        names: The names of this machine that clients may use.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # how busy it is
    port = listener.getsockname()[1]
    waitress.create_server(
        Application(aws, [f"{name}:{port}" for name in names]),
        sockets=[listener],
        threads=_THREADS,
        channel_timeout=_KEEP_ALIVE,
        connection_limit=_MAX_CONNECTIONS,
        max_request_body_size=MOST_BYTES,
        asyncore_use_poll=True,
        ident=None,
    ).run()


class Application:
    """AWS as a WSGI application.

    Any page in the developer's browser can send requests to this machine, and could read the key that signs
    tokens and the hashes of passwords. So a request with an `Origin`, which pages cannot leave out, is
    refused, and so is one for another host's name, as after DNS rebinding.
    """

    def __init__(self, aws: Aws, hosts: Collection[str]) -> None:
        self._aws = aws
        self._hosts = hosts

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        }
        status, own, body = self._answer(environ["REQUEST_METHOD"], headers, environ["wsgi.input"].read())
        given = {name: str(value) for name, value in own.items() if name.lower() != "content-length"}
        start_response(
            f"{status} {HTTPStatus(status).phrase}", [*given.items(), ("Content-Length", str(len(body)))]
        )
        return [body]

    def _answer(self, method: str, headers: Mapping[str, str], body: bytes) -> emulator.Reply:
        if refusal := self._refusal(method, headers):
            return _error(403, "AccessDeniedException", refusal)
        try:
            return self._aws.handle(headers, body)
        except emulator.UnknownService:
            message = (
                "This machine has DynamoDB, its streams, SQS, EventBridge and Secrets Manager, "
                "in AWS's JSON protocol."
            )
            return _error(400, "AccessDeniedException", message)
        except NotSaved:
            return _error(503, "ServiceUnavailable", "The disk does not take it; nothing was changed.")

    def _refusal(self, method: str, headers: Mapping[str, str]) -> str | None:
        if "origin" in headers:
            return "Web pages may not use this server."
        if headers.get("host") not in self._hosts:
            return f"This server is {' or '.join(self._hosts)}."
        return None if method == "POST" else "This is AWS's API, which takes POST requests only."


def _error(status: int, kind: str, message: str) -> emulator.Reply:
    return status, {}, json.dumps({"__type": kind, "message": message}).encode()
