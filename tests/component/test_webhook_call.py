"""Calling webhooks: a call ends in time whatever the host does, and goes to the address that was checked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from shared.webhooks.address import ForbiddenUrl
from shared.webhooks.call import Answer, CallFailed, call
from tests.servers import make_certificate

OK = b"HTTP/1.1 200 OK\r\n"
Stop = threading.Event
Behavior = Callable[[socket.socket, Stop], None]


@contextmanager
def host(behave: Behavior, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A host that reads a request, then behaves. Yields its port and what it read; no thread may stay."""
    before, stop, received = set(threading.enumerate()), Stop(), list[bytes]()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError), ExitStack() as stack:
            client = stack.enter_context(listener.accept()[0])
            if tls:
                client = stack.enter_context(tls.wrap_socket(client, server_side=True))
            while not b"".join(received).endswith(b"{}"):
                received.append(client.recv(65_536))
                if not received[-1]:
                    return
            behave(client, stop)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    yield listener.getsockname()[1], received
    left = set(threading.enumerate()) - before - {server}
    stop.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    server.join()
    assert not left, "a call left threads behind"


def says(response: bytes) -> Behavior:
    return lambda client, _stop: client.sendall(response)


def trickles(start: bytes) -> Behavior:
    def behave(client: socket.socket, stop: Stop) -> None:
        client.sendall(start)
        while not stop.wait(0.1):
            client.sendall(b"x")

    return behave


def post(port: int, name: str = "127.0.0.1", **options: Any) -> Answer:
    scheme = "https" if "ca_bundle" in options else "http"
    url = f"{scheme}://{name}:{port}/hook?a=b"
    return call(url, {"X-Token": "s3cret"}, b"{}", **{"to_loopback": True, "seconds": 20, **options})


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (OK + b"Content-Length: 4\r\n\r\na\n\xffb", Answer(200, "a \ufffdb")),
        (b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n", Answer(204, "")),
        (b"HTTP/1.0 500 Oh\r\n\r\nno", Answer(500, "no")),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            Answer(302, ""),
        ),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Answer(200, "abc")),
        (OK + b"Content-Length: 10000000\r\n\r\n" + b"x" * 10_000_000, Answer(200, "x" * 200)),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 10_000_000, Answer(200, "x" * 200)),
    ],
)
def test_the_status_and_the_start_of_the_body_are_returned(response: bytes, answer: Answer) -> None:
    with host(says(response)) as (port, received):
        assert post(port) == answer
    request = b"".join(received)
    assert request.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % port in request


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (says(b"SSH-2.0-x\r\n"), "valid HTTP"),
        (says(OK + b"A: b\r\n" * 101 + b"\r\n"), "too large"),
        (says(OK + b"A: " + b"b" * 70_000), "too large"),
        (says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "valid HTTP"),
        (says(b""), "closed the connection"),
    ],
)
def test_a_missing_response_is_reported(behave: Behavior, reason: str) -> None:
    with host(behave) as (port, _), pytest.raises(CallFailed, match=reason) as caught:
        post(port)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "behave",
    [
        lambda _client, stop: stop.wait(),
        trickles(OK + b"A: "),
        trickles(OK + b"\r\n"),
        trickles(OK + b"Content-"),
    ],
)
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_call_ends_at_its_deadline(behave: Behavior, encrypted: bool, tmp_path: Path) -> None:
    tls, bundle = trusted(tmp_path)
    options = {"ca_bundle": bundle} if encrypted else {}
    with (
        host(behave, tls if encrypted else None) as (port, _),
        pytest.raises(CallFailed, match=r"within 0\.5 s"),
    ):
        post(port, seconds=0.5, **options)


def test_a_handshake_or_a_lookup_that_hangs_ends_at_the_deadline(tmp_path: Path) -> None:
    with host(says(b"")) as (port, _), pytest.raises(CallFailed, match=r"within 0\.5 s"):
        post(port, seconds=0.5, ca_bundle=trusted(tmp_path)[1])
    resolved = threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        resolved.wait()
        return []

    with pytest.raises(CallFailed, match=r"within 0\.5 s"):
        post(port, seconds=0.5, look_up=look_up)
    resolved.set()


def test_an_unreachable_host_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CallFailed, match="refused"):
        post(port)
    with pytest.raises(CallFailed, match="no address"):
        post(port, look_up=lambda *_, **__: [])


def trusted(folder: Path) -> tuple[ssl.SSLContext, str]:
    """The TLS context of a host at 127.0.0.1, and the CA bundle that trusts it."""
    certificate, key = make_certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return tls, certificate


class Names:
    """A resolver that returns other addresses at each call."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    def __call__(self, _host: str, port: int, **_: object) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in self.answers.pop(0)]


def test_only_the_certificate_of_the_host_is_accepted(tmp_path: Path) -> None:
    tls, bundle = trusted(tmp_path)
    for name, options in (("hooks.test", {"ca_bundle": bundle}), ("127.0.0.1", {"ca_bundle": None})):
        with (
            host(says(OK + b"\r\n"), tls) as (port, received),
            pytest.raises(CallFailed, match="certificate"),
        ):
            post(port, name, look_up=Names(["127.0.0.1"]), **options)
        assert received == []
    with host(says(OK + b"\r\n"), tls) as (port, _):
        assert post(port, ca_bundle=bundle).status == 200


def test_a_name_is_resolved_once_and_all_of_its_addresses_are_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    with host(says(OK + b"\r\n")) as (port, received):
        assert post(port, "localhost", look_up=names).status == 200
    assert names.answers == [["10.0.0.1"]]
    assert b"Host: localhost:%d\r\n" % port in b"".join(received)
    with pytest.raises(ForbiddenUrl):
        post(port, "localhost", look_up=Names(["127.0.0.1", "10.0.0.1"]))
