"""The stack of `make sam-local`, after `sam build`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_stack import Client, Stack, sign_up
from tests.sam_cli import sam


@pytest.fixture(scope="module")
def stack(built: Path) -> Iterator[Stack]:
    stack = Stack("--no-state", "--docker")
    # The first call pulls Lambda's image and builds ours, which takes longer than clients wait.
    sam("local", "invoke", "ApiDocsFunction", "--event", "events/api_docs.json", timeout=900)
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def anyone(stack: Stack) -> Client:
    return Client(stack.url)


@pytest.fixture(scope="module")
def user(stack: Stack) -> Client:
    return sign_up(stack.url)
