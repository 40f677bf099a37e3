"""Which web pages may use the gateway: those of this machine, so that no other page reads tasks."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers


def is_foreign(headers: Headers, hosts: Collection[str] | None, origins: Collection[str]) -> bool:
    """Whether a web page from elsewhere may have sent a request: by its origin, or by DNS rebinding.

    Args:
        headers: The request's.
        hosts: Names that the gateway is served at besides those of loopback; None if that is any name.
        origins: Origins from elsewhere that may use the gateway; `*` is any.
    """
    host = _host("//" + headers.get("Host", "localhost"))  # HTTP/1.0, which no browser sends, needs none
    if hosts is not None and host not in hosts and not is_loopback(host):
        return True
    origin = headers.get("Origin")
    if origin is None or origin in origins or "*" in origins:
        return False
    name = _host(origin)
    return name != host and not is_loopback(name)


def is_loopback(host: str) -> bool:
    """Whether a name or an address always means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
