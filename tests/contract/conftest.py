"""What these tests share besides the local stack: a Redis server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis_servers import Server, best_program, serve


@pytest.fixture
def server() -> Iterator[Server]:
    """The Redis server that make run would start; the tests of the cache itself run on each there is."""
    yield from serve(best_program())
