"""Entries of the local stack's own log: requests that were answered, and batches that were delivered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RequestLogEntry:
    """A request that was answered."""

    method: str
    path: str
    """With the query string, as the client sent it."""
    status: int
    seconds: float
    function: str | None
    """The route's function; None for an unknown route."""
    cache: str | None
    """The response's `X-Cache`, if it has one."""


RequestLog = Callable[[RequestLogEntry], None]


@dataclass(frozen=True)
class DeliveryLogEntry:
    """A batch that a function was called with."""

    function: str
    source: str
    size: int
    failed: int
    """How many of them failed."""
    seconds: float


DeliveryLog = Callable[[DeliveryLogEntry], None]
