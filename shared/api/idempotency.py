"""Idempotency keys, with which clients can repeat a request safely.

See https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header
"""

from __future__ import annotations

import re

from shared.api.problems import InvalidRequest
from shared.api.request import Request

HEADER = "Idempotency-Key"
KEY_PATTERN = "^[!-~]{1,255}$"


def idempotency_key(request: Request) -> str | None:
    """Read the key of a request, if it has one.

    Raises:
        InvalidRequest: it is too long, or has other characters than visible ones of ASCII.
    """
    key = request.header(HEADER)
    if key is not None and not re.fullmatch(KEY_PATTERN, key):
        message = "Use 1 to 255 visible ASCII characters, such as a UUID"
        raise InvalidRequest([{"field": HEADER, "message": message}])
    return key
