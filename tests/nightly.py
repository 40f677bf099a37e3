"""How much is tried: little by day, much at night, in `make test-nightly`."""

import os

import pytest

AT_NIGHT = "NIGHTLY" in os.environ
nightly = pytest.mark.nightly
"""Marks tests that take long and find little."""


def often(by_day: int, at_night: int) -> int:
    """Choose how many examples are tried."""
    return at_night if AT_NIGHT else by_day
