"""Calls the stack that `make run` serves, for other commands."""

from __future__ import annotations

import os
from typing import Any

import requests

from tools.local.errors import LocalStackError

URL = f"http://127.0.0.1:{os.environ.get('TASK_API_PORT') or '3000'}"
"""Its default address."""
SCHEDULES = "/_schedules"
"""Path of the schedules."""
LOG = "/_log"
"""Path of the log entries; a request's id follows."""
_TIMEOUT = 900
"""Seconds: longer than a function may run."""


def call(method: str, url: str, path: str) -> Any:
    """Call one of the stack's own routes; returns its JSON.

    Raises:
        LocalStackError: no local stack serves at the URL.
    """
    try:
        response = requests.request(method, url + path, timeout=_TIMEOUT)
        response.raise_for_status()
        return response.json()
    except (requests.RequestException, ValueError) as error:
        raise LocalStackError(f"no local stack answers at {url}: start it with make run") from error
