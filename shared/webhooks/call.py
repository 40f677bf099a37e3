"""Calling a webhook: one POST within a deadline, to an address that was checked.

It uses http.client, because urllib3 logs URLs, which may hold secrets, and resolves names itself.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import SplitResult, urlsplit

from shared.webhooks.address import LookUp, Unresolvable, check_url, resolve
from shared.webhooks.in_time import run_until, shut_down_at, time_left

_MOST = 65_536
"""Bytes of a response's body to read."""
_SHOWN = 200
"""Characters of it to return."""
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (Unresolvable, "The webhook's host has no address."),
    (ConnectionRefusedError, "The webhook's host refused the connection."),
    (ConnectionError, "The webhook's host closed the connection before it had responded."),
    (ssl.SSLCertVerificationError, "The certificate of the webhook's host is not valid for it."),
    (ssl.SSLError, "No TLS connection to the webhook's host was possible."),
    (HTTPException, "The webhook's response is not valid HTTP, or its header is too large."),
    (OSError, "The webhook's host could not be reached."),
)
"""The first match is used, so subclasses come first."""


_LOOK_UP_TIMEOUT = 3
"""Deadline of a call, in seconds."""


class CallFailed(Exception):
    """The call got no response. The message is written for users, and holds no secrets."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, redirects and errors included."""

    status: int
    text: str
    """The body's first 200 characters, for people: printable ones, with spaces in place of all others."""


def check_target(url: str, *, to_loopback: bool, look_up: LookUp = socket.getaddrinfo) -> None:
    """Check whether a URL may be a webhook's, resolving its host's name.

    Raises:
        ForbiddenUrl: a webhook may not use it.
        CallFailed: the host has no address, or it could not be found in time.
    """
    check_url(url, to_loopback=to_loopback)
    host, port = _host_and_port(urlsplit(url))
    find = partial(resolve, host, port, to_loopback=to_loopback, look_up=look_up)
    try:
        run_until(time.monotonic() + _LOOK_UP_TIMEOUT, find)
    except (Unresolvable, TimeoutError) as error:
        raise CallFailed("The webhook's host has no address.") from error


def call(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    to_loopback: bool,
    seconds: float = 10,
    ca_bundle: str | None = None,
    look_up: LookUp = socket.getaddrinfo,
) -> Answer:
    """POST to a webhook, once, following no redirect and using no proxy.

    Args:
        url: the webhook's URL, which is checked again.
        headers: headers besides `Host`, `Connection` and those of the body's length.
        body: what to send.
        to_loopback: whether this machine may be called.
        seconds: deadline of all of it, from resolving the name to the last byte that is read: 64 KB.
        ca_bundle: file with the certificates to trust, in place of those that the system trusts.
        look_up: what resolves names. If it hangs, its thread lives until it returns.

    Raises:
        CallFailed: there was no response in time, or none that is valid.
        ForbiddenUrl: a webhook may not use it.
    """
    check_url(url, to_loopback=to_loopback)
    deadline = time.monotonic() + seconds
    parts = urlsplit(url)
    host, port = _host_and_port(parts)
    try:
        find = partial(resolve, host, port, to_loopback=to_loopback, look_up=look_up)
        address = run_until(deadline, find)  # name resolution has no timeout of its own
        with (
            socket.create_connection((address, port), time_left(deadline)) as connected,
            shut_down_at(deadline, connected),
        ):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if parts.scheme == "http":
                return _post(connected, parts, headers, body)
            with _tls(ca_bundle).wrap_socket(connected, server_hostname=host) as encrypted:
                return _post(encrypted, parts, headers, body)
    except TimeoutError as error:
        raise CallFailed(f"The webhook did not respond within {seconds:g} s.") from error
    except (Unresolvable, OSError, HTTPException) as error:
        raise CallFailed(next(reason for kind, reason in _REASONS if isinstance(error, kind))) from error


def to_loopback() -> bool:
    """Whether webhooks may be on this machine: in a local stack."""
    return os.environ["WEBHOOKS_TO_LOOPBACK"] == "true"


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _post(connected: socket.socket, parts: SplitResult, headers: Mapping[str, str], body: bytes) -> Answer:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(HTTPConnection(parts.netloc)) as connection:
        connection.sock = connected
        own = {"Host": parts.netloc, "Connection": "close"}
        connection.request("POST", target, body, {**headers, **own})
        with connection.getresponse() as response:
            return Answer(response.status, _text(_read(response)))


def _read(response: HTTPResponse) -> bytes:
    received = b""
    # read1, because read trusts the size of a chunk, even a negative one, for which it reads without a limit.
    while len(received) < _MOST and (part := response.read1(_MOST - len(received))):
        received += part
    return received


def _text(body: bytes) -> str:
    text = body.decode(errors="replace")[:_SHOWN]
    return "".join(each if each.isprintable() else " " for each in text).strip()


@cache
def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default context reads the environment
    if ca_bundle:
        context.load_verify_locations(ca_bundle)
    else:
        context.load_default_certs()
    return context
