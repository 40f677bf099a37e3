"""Cross-origin resource sharing (CORS): which web pages may use the API.

API Gateway answers preflights, by the template. Any origin may be allowed, because tokens travel in a header
that pages set themselves, and never in a cookie. See https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

import os

_EXPOSED = ("ETag", "Idempotency-Replayed", "Link", "Location", "Retry-After", "x-request-id")


def cors_headers() -> dict[str, str]:
    """Let pages of the origin `CORS_ORIGIN` read a response."""
    return {
        "Access-Control-Allow-Origin": os.environ["CORS_ORIGIN"],
        "Access-Control-Expose-Headers": ", ".join(_EXPOSED),
    }
