"""The stack in the emulator: deployed once, updated by the tests in their order, and deleted by the last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.deployment import Emulator, emulator
from tests.local_stack import Client, sign_up
from tests.optional import HISTORY
from tools.local.sam_local import architecture

collect_ignore = [] if HISTORY.find() else ["test_upgrade.py"]  # a shallow clone lacks them


@pytest.fixture(scope="module")
def deployed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("emulator")) as server:
        server.deploy(Architecture=architecture())
        yield server


@pytest.fixture(scope="module")
def anyone(deployed: Emulator) -> Client:
    return Client(deployed.url)


@pytest.fixture(scope="module")
def user(deployed: Emulator) -> Client:
    return sign_up(deployed.url)
