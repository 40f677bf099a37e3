"""Requests that no HTTP client sends, over a plain socket: the connection is closed or stays in sync."""

from __future__ import annotations

import json
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.local_stack import Client, Stack, await_condition
from tools.local.gateway.gateway_responses import GatewayResponses
from tools.local.gateway.server import Server

JSON = b"Content-Type: application/json"
FORM = b"Content-Type: application/x-www-form-urlencoded"
CHUNKED = b"Transfer-Encoding: chunked"
TOKEN = b"<token>"  # replaced by a valid token
BEARER = b"Authorization: Bearer " + TOKEN


class Response(NamedTuple):
    status: int
    head: bytes
    body: bytes


def head(line: bytes, *headers: bytes, host: bytes | None = b"localhost") -> bytes:
    hosts = [] if host is None else [b"Host: " + host]
    return b"\r\n".join([line, *hosts, *headers, b"", b""])


def get(target: bytes, *headers: bytes, host: bytes | None = b"localhost") -> bytes:
    return head(b"GET %s HTTP/1.1" % target, BEARER, *headers, host=host)


def post(body: bytes, *headers: bytes, version: bytes = b"1.1") -> bytes:
    """A request with this body; the headers must give its length."""
    return head(b"POST /tasks HTTP/%s" % version, BEARER, JSON, *headers) + body


def sized(body: bytes, *headers: bytes) -> bytes:
    return post(body, *headers, b"Content-Length: %d" % len(body))


NEXT = get(b"/auth/me", b"Connection: close")

CLOSED = {
    "invalid UTF-8 in the path": get(b"/tasks/\xff"),
    "CR in a header": get(b"/tasks", b"X: a\rb"),
    "LF in a header": get(b"/tasks", b"X: a\nb"),
    "NUL in a header": get(b"/tasks", b"X: a\0b"),
    "Content-Length and Transfer-Encoding": post(b"0\r\n\r\n", CHUNKED, b"Content-Length: 4"),
    "Content-Length twice": post(b"abcde", b"Content-Length: 5", b"Content-Length: 5"),
    "length with a sign": post(b"abcde", b"Content-Length: +5"),
    "length with an underscore": post(b"", b"Content-Length: 5_0"),
    "length in Arabic digits": post(b"abcde", "Content-Length: ٥".encode()),
    "empty length": post(b"", b"Content-Length:"),
    "length of 5,000 digits": post(b"", b"Content-Length: " + b"9" * 5000),
    "chunk of a negative size": post(b"-1\r\nabc\r\n0\r\n\r\n", CHUNKED),
    "chunk of a size with a prefix": post(b"0x3\r\nabc\r\n0\r\n\r\n", CHUNKED),
    "chunk longer than its size": post(b"3\r\nabcde\r\n0\r\n\r\n", CHUNKED),
    "chunk after a bare LF": post(b"3\nabc\n0\n\n", CHUNKED),
    "chunk size that never ends": post(b"0" * 20_000, CHUNKED),
    "chunk extension with a bare LF": post(b"3;\nabc\r\nabc\r\n0\r\n\r\n", CHUNKED),
    "trailer that never ends": post(b"0\r\n" + b"X: y\r\n" * 4000, CHUNKED),
    "unknown coding": post(b"0\r\n\r\n", b"Transfer-Encoding: xchunked"),
    "chunked coding that is not last": post(b"0\r\n\r\n", CHUNKED, b"Transfer-Encoding: identity"),
    "chunked coding twice": post(b"0\r\n\r\n", b"Transfer-Encoding: chunked, chunked"),
    "coding after a control character": post(b"0\r\n\r\n", b"Transfer-Encoding: \x0bchunked"),
    "empty coding": post(b"0\r\n\r\n", b"Transfer-Encoding:"),
    "coding in HTTP/1.0": post(b"0\r\n\r\n", CHUNKED, b"Connection: keep-alive", version=b"1.0"),
    "folded header": get(b"/tasks", b"X: a\r\n b"),
    "space before the colon": get(b"/tasks", b"X : a"),
    "header without a name": get(b"/tasks", b": a"),
    "bare LFs": b"GET /tasks HTTP/1.1\nHost: localhost\n\n",
    "huge header": get(b"/tasks", b"X: " + b"y" * 100_000),
    "target with an invalid address": get(b"http://[:::::]/tasks"),
    "target of another scheme": get(b"ftp://localhost/tasks"),
    "target with a tab": get(b"/ta\tsks"),
    "target with a fragment": get(b"/tasks#x"),
    "target without a slash": get(b"tasks"),
    "target *": head(b"OPTIONS * HTTP/1.1"),
    "HTTP/0.9": b"GET /auth/me\r\n\r\n",
    "HTTP/1.2": head(b"GET /auth/me HTTP/1.2"),
    "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
    "no Host": get(b"/tasks", host=None),
    "two Hosts": get(b"/tasks", b"Host: localhost"),
    "empty Host": get(b"/tasks", host=b""),
    "invalid Host": get(b"/tasks", host=b'"><script>'),
    "method in lower case": head(b"get /tasks HTTP/1.1"),
    "invalid method": head(b"G(T /tasks HTTP/1.1"),
}
OTHERS = {
    "length of 18 digits": ([413], post(b"", b"Content-Length: " + b"9" * 18)),
    "chunk of 5,000 digits": ([413], post(b"f" * 5000 + b"\r\n", CHUNKED)),
    "invalid UTF-8, percent-encoded in the path": ([404, 200], get(b"/tasks/%ff")),
    "invalid UTF-8, percent-encoded in the query": ([422, 200], get(b"/tasks?%ff=%fe")),
    "invalid UTF-8 in a header": ([422, 200], get(b"/tasks?limit=0", b"X: \xff")),
    "invalid UTF-8 in a media type": ([415, 200], sized(b"{}", b"Content-Type: \xff;charset=\xfe")),
    "invalid UTF-8 in a form": (
        [422, 200],
        head(b"POST /auth/login HTTP/1.1", FORM, b"Content-Length: 26") + b"username=%ff&password=%ed%",
    ),
    "duplicate name in an object": ([422, 200], sized(b'{"title": "One", "title": "Two"}')),
    "body over API Gateway's limit": ([413, 200], sized(b"x" * (10 * 1024 * 1024 + 1))),
    "body over Lambda's limit": ([413, 200], sized(b"x" * (6 * 1024 * 1024))),
    "huge exponent": ([422, 200], sized(b'{"title": 1e999999}')),
    "lone surrogate as a name": ([422, 200], sized(b'{"\\ud800": 1}')),
    "NUL in a text": ([422, 200], sized(b'{"title": "a\\u0000"}')),
    "NUL in the body": ([422, 200], sized(b'{"title": "a"}\0')),
    "encoded slash": ([404, 200], get(b"/tasks/%2F")),
    "encoded dots": ([404, 200], get(b"/tasks/%2e%2e")),
    "encoded line break": ([404, 200], get(b"/tasks%0d%0aX:%20y")),
    "encoded NUL": ([404, 200], get(b"/tasks/%00")),
    "incomplete percent-encoding": ([404, 200], get(b"/tasks/%")),
    "two slashes": ([404, 200], get(b"//tasks//x")),
    "unknown method": ([404, 200], head(b"BREW /tasks HTTP/1.1")),
    "length with an underscore in its name": (
        [422, 200],
        post(b"", b"Content_Length: 5", b"Content-Length: 0"),
    ),
    "chunked body": ([422, 200], post(b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n", CHUNKED)),
    "GET with a body": ([404, 200], get(b"/tasks/x", b"Content-Length: 5") + b"hello"),
    "foreign origin": ([403, 200], sized(b"{}", b"Origin: https://evil.example")),
    "body that is not gzip": ([415, 200], sized(b"\x1f\x8b\xff", b"Content-Encoding: gzip")),
    "body, then another request": ([422, 404, 200], post(b"{}" + get(b"/tasks/x"), b"Content-Length: 2")),
    "body, then nonsense": ([422, 400], post(b"{}nonsense\r\n\r\n", b"Content-Length: 2")),
    "body, then a chunk of no coding": ([422, 400], post(b"0\r\n\r\n", b"Transfer_Encoding: chunked")),
}


def exchange(stack: Stack, request: bytes) -> list[Response]:
    """Send a request; returns the responses until the connection is closed."""
    host, _, port = stack.url.removeprefix("http://").partition(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=20) as client:
        with suppress(ConnectionError):  # refused before all of it was sent
            client.sendall(request)
        with suppress(ConnectionError):  # closed before all of it was read
            while data := client.recv(65536):
                received += data
    return list(_responses(received))


def _responses(received: bytes) -> Iterator[Response]:
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        assert length, received
        end = int(length[1])
        yield Response(int(head.split()[1]), head, rest[:end])
        received = rest[end:]


def assert_responses(stack: Stack, user: Client, request: bytes, *statuses: int) -> None:
    """Send a request, and then a valid one; every response other than a 200 must be a problem."""
    token = str(user.token).encode()
    responses = exchange(stack, (request + NEXT).replace(TOKEN, token))
    assert [response.status for response in responses] == list(statuses)
    for response in responses:
        if response.status != 200:
            assert b"\r\nContent-Type: application/problem+json\r\n" in response.head
            problem = json.loads(response.body)
            phrase = response.head.partition(b"\r\n")[0].decode().split(" ", 2)[2]
            assert (response.status, phrase) == (problem["status"], problem["title"])
    assert [response.status for response in exchange(stack, NEXT.replace(TOKEN, token))] == [200]


@pytest.mark.parametrize("name", CLOSED)
def test_an_ambiguous_request_closes_the_connection(stack: Stack, user: Client, name: str) -> None:
    assert_responses(stack, user, CLOSED[name], 400)


@pytest.mark.parametrize("name", OTHERS)
def test_a_request_is_read_to_its_end_and_no_further(stack: Stack, user: Client, name: str) -> None:
    statuses, request = OTHERS[name]
    assert_responses(stack, user, request, *statuses)


def test_request_headers_cannot_inject_response_headers(stack: Stack, user: Client) -> None:
    names = (b"Idempotency-Key", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"X-Request-Id")
    fields = [name + b": mirrored" for name in names]
    request = sized(b'{"title": "Mirrored"}', *fields, b"Origin: http://localhost/mirrored")
    token = str(user.token).encode()
    created, _ = exchange(stack, (request + NEXT).replace(TOKEN, token))
    assert created.status == 201
    assert b"mirrored" not in created.head.lower()


@contextmanager
def serving(**options: int) -> Iterator[tuple[str, int]]:
    """Serve an application that returns 7 MB; yields its address."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "7000000")])
        return [bytes(7_000_000)]

    gateway: Any = SimpleNamespace(
        application=application, responses=GatewayResponses({}), log=lambda entry: None
    )
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    server = Server(gateway, [listener], **options)
    server.start()
    try:
        yield address
    finally:
        server.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nX: ", head(b"POST / HTTP/1.1", b"Content-Length: 9"), get(b"/")],
    ids=["nothing", "half a head", "no body", "all, but the response is not read"],
)  # fmt: skip
def test_waiting_connections_do_not_block_others(sent: bytes) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 1500)), hard))
    with serving() as address, ExitStack() as ended:
        for _ in range(600):
            client = ended.enter_context(socket.create_connection(address, timeout=60))
            with suppress(ConnectionError):
                client.sendall(sent)
        honest = ended.enter_context(socket.create_connection(address, timeout=60))
        honest.sendall(get(b"/"))
        assert honest.recv(12) == b"HTTP/1.1 200"


def test_a_request_that_never_ends_is_cut_off() -> None:
    with serving(idle_timeout=1) as address, ExitStack() as ended:
        open_ones = []
        for beginning in (
            b"GET / HTTP/1.1\r\nX: ",
            head(b"POST / HTTP/1.1", b"Content-Length: 1000000"),
            head(b"POST / HTTP/1.1", CHUNKED) + b"fffff\r\n",
        ):
            client = ended.enter_context(socket.create_connection(address))
            client.sendall(beginning)
            client.setblocking(False)
            open_ones.append(client)

        def are_closed() -> bool:
            open_ones[:] = filter(_is_open, open_ones)
            return not open_ones

        await_condition(are_closed, timeout=20)


def _is_open(client: socket.socket) -> bool:
    try:
        client.send(b"x")
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
