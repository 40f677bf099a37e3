"""How thorough tests are: few examples by default, many in `make test-nightly`."""

import os

import pytest

AT_NIGHT = "NIGHTLY" in os.environ
nightly = pytest.mark.nightly
"""Marks slow tests that rarely find a bug."""


def often(by_day: int, at_night: int) -> int:
    """Choose the number of examples to try."""
    return at_night if AT_NIGHT else by_day
