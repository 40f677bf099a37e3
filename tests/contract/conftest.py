"""A Redis server for contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis_servers import Server, best_program, serve


@pytest.fixture
def server() -> Iterator[Server]:
    """The Redis server that `make run` would start; component tests of the cache run on every kind."""
    yield from serve(best_program())
