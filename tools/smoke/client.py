"""HTTP client of the API, and the exceptions that checks raise."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter

TIMEOUT = 30
"""Timeout of a response in seconds; API Gateway's own is 29."""
AT_ONCE = 50
"""Concurrent requests, each on a pooled connection."""
URL_MADE_IN = "Request.url in shared/api/request.py: stage and domain"
"""Where to look when a URL in a response is wrong."""


class Failed(Exception):
    """A check failed."""

    def __init__(self, what: str, look_at: str) -> None:
        """Take the problem, and where to look for its cause."""
        super().__init__(what)
        self.look_at = look_at


class NotChecked(Exception):
    """A check could not run; the message says why."""


class Client:
    """A client of the API, with or without a token."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.mount(url, HTTPAdapter(pool_maxsize=AT_ONCE))
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request; the path can also be a full URL, such as one from a header."""
        url = path if path.startswith("http") else self.url + path
        return self._session.request(method, url, timeout=TIMEOUT, allow_redirects=False, **options)


def expect(is_so: object, what: str, look_at: str) -> None:
    """Check a condition.

    Raises:
        Failed: it is not.
    """
    if not is_so:
        raise Failed(what, look_at)


def expect_status(response: requests.Response, status: int, look_at: str) -> None:
    """Check the status of a response.

    Raises:
        Failed: it has another status.
    """
    request = f"{response.request.method} {response.request.url}"
    body = response.text[:200]
    expect(response.status_code == status, f"{request} is {response.status_code}: {body}", look_at)


def expect_problem(response: requests.Response, status: int, kind: str) -> None:
    """Check that a response is a problem document with the common headers.

    Args:
        response: The response.
        status: Its status.
        kind: API Gateway's type of the response.

    Raises:
        Failed: it is not.
    """
    look_at = f"GatewayResponses.{kind} in template.yaml, and the stage's last deployment"
    expect_status(response, status, look_at)
    media_type = response.headers.get("Content-Type")
    expect(media_type == "application/problem+json", f"the {status} is sent as {media_type}", look_at)
    if response.request.method != "HEAD":
        expect(response.json().get("status") == status, f"the {status} says {response.text[:200]}", look_at)
    for header in ("x-request-id", "Access-Control-Allow-Origin"):
        expect(header in response.headers, f"the {status} has no {header}", look_at)
