"""Compresses what is sent, as API Gateway does where the template has `MinimumCompressionSize`.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

from flask import Response, request

_LEVEL = 6


def compressor(minimum: int | None) -> Callable[[Response], Response]:
    """Make what compresses responses.

    Args:
        minimum: Bytes from which on a body is compressed; None compresses nothing.
    """

    def compress(response: Response) -> Response:
        body = response.get_data()
        if minimum is None or len(body) < minimum or "Content-Encoding" in response.headers:
            return response
        if request.accept_encodings["gzip"]:
            response.set_data(gzip.compress(body, _LEVEL))
            response.headers["Content-Encoding"] = "gzip"
        return response

    return compress
