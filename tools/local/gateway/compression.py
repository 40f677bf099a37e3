"""Compresses and unpacks bodies, as API Gateway does where the template has `MinimumCompressionSize`.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from flask import Response, request

_LEVEL = 6
_WINDOW_BITS = {"gzip": 31, "deflate": 15}


def unpack(body: bytes, coding: str, limit: int) -> bytes:
    """Unpack a request's body; at most one byte more than the limit, however much there is.

    Raises:
        zlib.error: it is not in this coding, or API Gateway does not know the coding.
    """
    if coding == "identity":
        return body
    if coding not in _WINDOW_BITS:
        raise zlib.error(coding)
    stream = zlib.decompressobj(_WINDOW_BITS[coding])
    unpacked = stream.decompress(body, limit + 1)
    if len(unpacked) <= limit and (not stream.eof or stream.unused_data):
        raise zlib.error("more or less than one stream")
    return unpacked


def compressor(minimum: int | None) -> Callable[[Response], Response]:
    """Make the function that compresses responses.

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
