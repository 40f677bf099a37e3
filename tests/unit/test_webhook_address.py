"""Addresses of webhooks: only public ones are allowed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.webhooks.address import ForbiddenUrl, LookUp, Unresolvable, check_url, resolve

# fmt: off
FORBIDDEN = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
]
PUBLIC = [
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255",
    "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.0.0", "198.20.0.0",
    "223.255.255.255", "2600:1f18::1", "2a00:1450:4001::1", "64:ff9b::808:808",
]
FORBIDDEN_IPV6 = [
    "::", "::1", "fd00:ec2::254", "fc00::1", "fe80::1", "fec0::1", "ff02::1", "100::1", "2001::1",
    "2001:db8::1", "3fff::1", "5f00::1", "64:ff9b:1::1", "fe80::1%eth0", "2600::1%eth0",
]
# fmt: on
SPELLINGS: list[Callable[[int], str]] = [
    lambda n: str(IPv4Address(n)),
    lambda n: str(n),
    lambda n: hex(n),
    lambda n: f"0{n:o}",
    lambda n: f"{n >> 24}.{n & 0xFFFFFF}",
    lambda n: f"{n >> 24:#x}.{n >> 16 & 255}.{n & 0xFFFF}",
    lambda n: ".".join(f"0{part:o}" for part in IPv4Address(n).packed),
]
EMBEDDINGS: list[Callable[[int], int]] = [
    lambda n: n,  # compatible
    lambda n: 0xFFFF << 32 | n,  # mapped
    lambda n: 0x64_FF9B << 96 | n,  # NAT64
    lambda n: 0x2002 << 112 | n << 80 | 1,  # 6to4
    lambda n: 0x2001_0000 << 96 | n ^ 0xFFFF_FFFF,  # Teredo, the client
    lambda n: 0x2001_0000 << 96 | n << 64,  # Teredo, the server
]
FORBIDDEN_IPV4 = st.sampled_from(FORBIDDEN).flatmap(
    lambda text: st.integers(int(ip_network(text)[0]), int(ip_network(text)[-1]))
)


def names(*addresses: str) -> LookUp:
    return lambda _host, port, **_: [(0, 0, 0, "", (address, port)) for address in addresses]


@given(number=FORBIDDEN_IPV4, to_loopback=st.booleans())
def test_no_spelling_or_embedding_of_a_forbidden_address_passes(number: int, to_loopback: bool) -> None:
    to_loopback = to_loopback and number >> 24 != 127
    for spelling in SPELLINGS:
        with pytest.raises((ForbiddenUrl, Unresolvable)):
            resolve(spelling(number), 443, to_loopback=to_loopback)
        with pytest.raises(ForbiddenUrl):
            check_url(f"https://{spelling(number)}/", to_loopback=to_loopback)
    for embedding in EMBEDDINGS:
        address = str(IPv6Address(embedding(number)))
        if address == "::1" and to_loopback:
            continue
        with pytest.raises(ForbiddenUrl):
            resolve(address, 443, to_loopback=to_loopback, look_up=names(address))
        with pytest.raises(ForbiddenUrl):
            check_url(f"https://[{address}]/", to_loopback=to_loopback)


@pytest.mark.parametrize("address", FORBIDDEN_IPV6)
def test_no_special_ipv6_address_passes(address: str) -> None:
    with pytest.raises(ForbiddenUrl):
        resolve("hooks.test", 443, to_loopback=False, look_up=names(address))
    with pytest.raises(ForbiddenUrl):
        check_url(f"https://[{address}]/", to_loopback=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    check_url(f"https://[{address}]:8443/" if ":" in address else f"https://{address}/", to_loopback=False)
    assert resolve("hooks.test", 443, to_loopback=False, look_up=names(address)) == address


@pytest.mark.parametrize("others", [["10.0.0.1"], ["::1"], ["2600::1", "fd00:ec2::254"]])
def test_one_forbidden_address_forbids_a_host(others: list[str]) -> None:
    for addresses in (["1.1.1.1", *others], [*others, "1.1.1.1"]):
        with pytest.raises(ForbiddenUrl, match="not public"):
            resolve("hooks.test", 443, to_loopback=False, look_up=names(*addresses))


def test_ipv4_is_preferred() -> None:
    look_up = names("2600::1", "1.1.1.1", "8.8.8.8")
    assert resolve("hooks.test", 443, to_loopback=False, look_up=look_up) == "1.1.1.1"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_accepted_only_locally(address: str) -> None:
    assert resolve("localhost", 80, to_loopback=True, look_up=names(address)) == address
    with pytest.raises(ForbiddenUrl):
        resolve("localhost", 80, to_loopback=False, look_up=names(address))


@pytest.mark.parametrize("host", ["", "a..b", "a" * 64, "hooks.invalid"])
def test_a_name_without_an_address_is_refused(host: str) -> None:
    def look_up(name: str, *_: object, **__: object) -> list[object]:
        name.encode("idna")  # as getaddrinfo does
        raise socket.gaierror("no such name")

    for each in (look_up, names()):
        with pytest.raises(Unresolvable):
            resolve(host, 443, to_loopback=False, look_up=each)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "HTTPS://Hooks.Example.com:65535/a/b?token=@x",
        "https://xn--bcher-kva.example/",
        "https://a/".ljust(2000, "x"),
    ],
)
def test_valid_urls_are_accepted(url: str) -> None:
    check_url(url, to_loopback=False)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://hooks.example.com/", "https://"),
        ("http://127.0.0.1/", "https://"),
        ("ftp://hooks.example.com/", "https://"),
        ("https://ada:x@hooks.example.com/", "without a username"),
        ("https://good.example\\@evil.example/", "without a username"),
        ("https://hooks.example.com/#", "fragment"),
        ("https://a/".ljust(2001, "x"), "2,000"),
        ("https://bücher.example/", "xn--"),
        ("https://hooks.example.com/a b", "spaces"),
        ("https://hooks.example.com/\n", "spaces"),
        *[
            (f"https://{each}/", "valid host")
            for each in ("", ":443", "a:0", "a:65536", "a:", "a:x", "a..b", "a%2e")
        ],
        *[
            (f"https://{each}/", "valid host")
            for each in ("x[2600::1]", "[2600::1]x", "a\\.b", "[2600::1%25eth0]")
        ],
        ("https://[2600::1/", "valid host"),
        ("https:/hooks.example.com", "valid host"),
        *[(f"https://{each}/", "four decimal") for each in ("1.1", "0x8080808", "010.8.8.8", "8.8.8.0x8")],
    ],
)
def test_invalid_urls_are_refused(url: str, advice: str) -> None:
    with pytest.raises(ForbiddenUrl, match=advice) as caught:
        check_url(url, to_loopback=False)
    assert "ada" not in str(caught.value)


def test_plain_http_is_for_loopback_only() -> None:
    for host in ("localhost", "127.0.0.1:8080", "[::1]:8080"):
        check_url(f"http://{host}/", to_loopback=True)
    with pytest.raises(ForbiddenUrl):
        check_url("http://hooks.example.com/", to_loopback=True)
