"""Messages between pool and worker."""

from __future__ import annotations

import json
from dataclasses import dataclass

MAX_REQUEST = 6_291_456
"""Bytes that a function's event may have."""
MAX_RESPONSE = 6_291_556
"""Bytes that a function may answer with. See
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""


@dataclass(frozen=True)
class FunctionSpec:
    """A function, as a worker runs it."""

    name: str
    code: str
    """The folder with the function's code."""
    root: str
    """The folder of the layer's content: the package `shared`."""
    handler: str
    """`module.attribute`, as in the template."""
    environment: dict[str, str]
    memory: int
    """In MB; reported to the function, not enforced."""
    timeout: float
    """In seconds."""


@dataclass(frozen=True)
class Result:
    """The outcome of an invocation."""

    payload: bytes
    """JSON: what the handler returned, or Lambda's description of the error."""
    failed: bool = False
    """Whether the function raised an error, ran out of time or died."""

    def pack(self) -> bytes:
        """Write it for the pipe between worker and pool."""
        return (b"!" if self.failed else b"=") + self.payload

    @classmethod
    def unpack(cls, message: bytes) -> Result:
        """Read what `pack` wrote."""
        return cls(message[1:], failed=message[:1] == b"!")


def failure(kind: str, message: str) -> Result:
    """Describe a failed invocation in Lambda's words."""
    return Result(json.dumps({"errorMessage": message, "errorType": kind}).encode(), failed=True)
