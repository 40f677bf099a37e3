"""What these tests share besides the local stack: a Redis server."""

from __future__ import annotations

from tests.redis_servers import server, shared_server

__all__ = ["server", "shared_server"]
