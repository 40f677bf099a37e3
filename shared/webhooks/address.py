"""Addresses that webhooks may use: only public ones, so that nobody can reach internal services.

See OWASP's Server-Side Request Forgery Prevention Cheat Sheet. Messages hold no URL, which may have a secret,
and no address, which would tell what is in a private DNS zone.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

LookUp = Callable[..., list[Any]]
"""`socket.getaddrinfo`, or a substitute."""


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, texts))


# By IANA's special-purpose registries (RFC 6890). Python's is_global differs between patch levels.
_LOOPBACK = _networks("127.0.0.0/8", "::1/128")
_LOCAL = _networks("0.0.0.0/8", "169.254.0.0/16")
"""This network, whose 0.0.0.0 connects to loopback, and link-local addresses, with the metadata of AWS."""
_PRIVATE = _networks("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
_PROTOCOLS = _networks("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "2001::/23", "2002::/16")
"""Protocol assignments, benchmarks, Teredo and 6to4."""
_DOCUMENTATION = _networks("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
_MULTICAST_AND_RESERVED = _networks("224.0.0.0/4", "240.0.0.0/4")
_SPECIAL = (*_LOOPBACK, *_LOCAL, *_PRIVATE, *_PROTOCOLS, *_DOCUMENTATION, *_MULTICAST_AND_RESERVED)
_GLOBAL_UNICAST = _networks("0.0.0.0/0", "2000::/3")
"""The range assigned to hosts; mapped, compatible, local and multicast IPv6 addresses are outside."""
_NAT64 = _networks("64:ff9b::/96")
"""The prefix of DNS64 for hosts without IPv6; the last 32 bits are the IPv4 address. See RFC 6052."""

_FORM = "Use a URL with a valid host, and a port from 1 to 65535 or none: https://host/path."
_URL = re.compile(r"[!-~]{1,2000}")
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_AUTHORITY = re.compile(rf"({_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])(:(?P<port>\d{{1,5}}))?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
"""Last label of an IPv4 address in any spelling. See the URL standard, "ends in a number"."""


class ForbiddenUrl(ValueError):
    """A webhook may not use this URL. The message tells the user what to do."""


class Unresolvable(Exception):
    """The host's name has no address."""


def check_url(url: str, *, to_loopback: bool) -> None:
    """Check a webhook's URL, without resolving its host; `to_loopback` allows this machine, without TLS.

    Raises:
        ForbiddenUrl: it may not be a webhook's.
    """
    if not _URL.fullmatch(url):
        raise ForbiddenUrl(
            "Use a URL of at most 2,000 printable ASCII characters without spaces. "
            "Write other letters of a host's name in its xn-- form, and elsewhere as %XX."
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ForbiddenUrl(_FORM) from None
    if "@" in parts.netloc:
        raise ForbiddenUrl("Use a URL without a username and a password.")
    if "#" in url:
        raise ForbiddenUrl("Use a URL without a fragment: leave out # and what follows.")
    found = _AUTHORITY.fullmatch(parts.netloc)
    if found is None or not 1 <= int(found["port"] or 443) <= 65_535:
        raise ForbiddenUrl(_FORM)
    host = parts.hostname or ""
    address = _literal(host)
    is_loopback = host == "localhost" or (address is not None and _is_in(address, _LOOPBACK))
    if parts.scheme != "https" and not (to_loopback and is_loopback and parts.scheme == "http"):
        raise ForbiddenUrl("Use a URL that starts with https://.")
    if address is not None:
        _check(address, to_loopback=to_loopback)


def resolve(host: str, port: int, *, to_loopback: bool, look_up: LookUp = socket.getaddrinfo) -> str:
    """Resolve a host's name, check all its addresses, and return one to connect to: IPv4 if there is one.

    Raises:
        ForbiddenUrl: an address is not public, nor loopback where that is allowed.
        Unresolvable: there is no address.
    """
    try:
        addresses = [ip_address(each[4][0]) for each in look_up(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise Unresolvable(str(error)) from error
    if not addresses:
        raise Unresolvable("there is no address")
    for address in addresses:
        _check(address, to_loopback=to_loopback)
    return str(min(addresses, key=lambda address: address.version))


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    if ":" not in host and not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return ip_address(host)
    except ValueError:
        raise ForbiddenUrl("Write an IPv4 address as four decimal numbers, and IPv6 in brackets.") from None


def _check(address: IPv4Address | IPv6Address, *, to_loopback: bool) -> None:
    if to_loopback and _is_in(address, _LOOPBACK):
        return
    if _is_in(address, _NAT64):
        address = IPv4Address(int(address) & 0xFFFF_FFFF)
    is_scoped = isinstance(address, IPv6Address) and address.scope_id is not None
    if is_scoped or not _is_in(address, _GLOBAL_UNICAST) or _is_in(address, _SPECIAL):
        raise ForbiddenUrl(
            "Use a host that the whole internet can reach: this one has an address that is not public."
        )


def _is_in(address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)
