"""The emulator over HTTP, for this machine's AWS clients and for nobody else."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import hypercorn.asyncio.run
from hypercorn.asyncio.tcp_server import TCPServer

from tools.local.backends import emulator
from tools.local.backends.recorder import NotSaved, Recorder

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_BYTES = 16_777_216
"""What a request may have; DynamoDB takes no more either."""


class _Connection(TCPServer):
    """A connection that ends when its client closes it; hypercorn would keep it until it times out."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


hypercorn.asyncio.run.TCPServer = _Connection  # type: ignore[attr-defined]


class Application:
    """The emulator as an ASGI application.

    Any page in the developer's browser can send requests to this machine, and could read the key that signs
    tokens and the hashes of passwords. So a request with an `Origin`, which pages cannot leave out, is
    refused, and so is one for another host's name, as after DNS rebinding.
    """

    def __init__(self, hosts: Collection[str], recorder: Recorder) -> None:
        self._hosts = hosts
        self._recorder = recorder

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        refusal = self._refusal(scope["method"], headers)
        body = b"" if refusal else await _read_body(receive)
        if refusal or body is None:
            await _send(send, 403 if refusal else 413, {}, _error(refusal or "The request is too large."))
            return
        try:
            status, reply_headers, reply = await emulator.handle(headers, body)
        except emulator.UnknownService:
            message = (
                "This machine has DynamoDB, its streams, SQS and Secrets Manager, in AWS's JSON protocol."
            )
            await _send(send, 400, {}, _error(message))
            return
        try:
            self._recorder.record(headers["x-amz-target"])
        except NotSaved:
            emulator.forget_transaction(body)
            await _send(send, 503, {}, _error("The disk does not take it.", "ServiceUnavailable"))
            return
        await _send(send, status, reply_headers, reply)

    def _refusal(self, method: str, headers: Mapping[str, str]) -> str | None:
        if "origin" in headers:
            return "Web pages may not use this server."
        if headers.get("host") not in self._hosts:
            return f"This server is {' or '.join(self._hosts)}."
        return None if method == "POST" else "This is AWS's API, which takes POST requests only."


async def _read_body(receive: Receive) -> bytes | None:
    """Read the body; None when it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(body)


async def _send(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    pairs = [(name.lower().encode(), str(value).encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _error(message: str, kind: str = "AccessDeniedException") -> bytes:
    return json.dumps({"__type": kind, "message": message}).encode()
