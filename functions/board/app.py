"""GET /: the board, a page to work on the tasks with. It uses the public API alone, as any client."""

import base64
import hashlib
import html
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from string import Template

from shared.api.conditional import unless_unchanged, weak_etag
from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response

FOLDER = Path(__file__).parent
_PARTS = (
    "storage api tasks times notices address card markdown menu editor column deletion paged_list trash"
    " history panel sign_in board keys refresher start"
)
SCRIPTS = tuple(f"{part}.js" for part in _PARTS.split())


@endpoint(
    "Open the board",
    tag="Documentation",
    returns=[Returns(HTTPStatus.OK, "A page.")],
    include_in_schema=False,
)
def handler(request: Request) -> Response:
    """Open the board."""
    return unless_unchanged(_page(request.root), request.header("If-None-Match"))


@lru_cache(maxsize=8)
def _page(root: str) -> Response:
    """Make the page; `root` is the path of the API, such as `/prod`, or empty."""
    style = (FOLDER / "board.css").read_text("utf-8")
    script = "\n".join((FOLDER / name).read_text("utf-8") for name in SCRIPTS)
    page = Template((FOLDER / "board.html").read_text("utf-8"))
    body = page.substitute(root=html.escape(root), style=style, script=script)
    headers = {
        "Cache-Control": "no-cache",  # cached, and revalidated each time
        "Content-Security-Policy": _policy(script, style),
        "ETag": weak_etag(body),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body=body, content_type="text/html; charset=utf-8", headers=headers)


def _policy(script: str, style: str) -> str:
    """Allow the page its own script and style, and the API; nothing else, from nowhere.

    See https://www.w3.org/TR/CSP3/ and https://www.w3.org/TR/trusted-types/
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
