"""`make schedule`: call functions of the local stack now, as their schedules do."""

from __future__ import annotations

import argparse
import os
import sys

import requests

from tools.local.gateway.schedules import PATH

_URL = f"http://127.0.0.1:{os.environ.get('TASK_API_PORT') or '3000'}"
_TIMEOUT = 900
"""Seconds: longer than a function may run."""


def main() -> int:
    """Call functions, or list those that have schedules; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make schedule ARGS="…"',
        description="Call functions of the stack that `make run` serves, now, as their schedules do. Without "
        "a name, list the schedules.",
    )
    parser.add_argument("function", nargs="?", help="such as RemindFunction")
    parser.add_argument("--url", default=_URL, help="where the stack serves (default: %(default)s)")
    chosen = parser.parse_args()
    try:
        if chosen.function is None:
            for each in requests.get(chosen.url + PATH, timeout=_TIMEOUT).json():
                print(f"{each['function']:<28} {each['schedule']}{'' if each['is_on'] else '  (off)'}")
            return 0
        response = requests.post(f"{chosen.url}{PATH}/{chosen.function}", timeout=_TIMEOUT)
        called = response.json()
    except (requests.RequestException, ValueError, TypeError, KeyError):
        print(f"error: no local stack answers at {chosen.url}: start it with make run", file=sys.stderr)
        return 1
    if response.status_code == requests.codes.not_found:
        print(f"error: {chosen.function} has no schedule; without a name, all are listed", file=sys.stderr)
        return 1
    if not called["succeeded"]:
        print(f"{chosen.function} failed; the stack's terminal says why", file=sys.stderr)
        return 1
    print(f"{chosen.function} was called")
    return 0


if __name__ == "__main__":
    sys.exit(main())
