"""The age of a time stamp, even if Lambda has frozen the environment since."""

from __future__ import annotations

import time
from typing import NamedTuple, Self


class Moment(NamedTuple):
    """A moment by both clocks: the monotonic one may have stood still, the other may have been set."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Self:
        """Take the time."""
        return cls(time.monotonic(), time.time())

    @property
    def age(self) -> float:
        """Seconds since then, by the clock that counted more."""
        return max(time.monotonic() - self.monotonic, time.time() - self.wall)
