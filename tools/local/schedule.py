"""`make schedule`: call functions of the local stack now, as their schedules do."""

from __future__ import annotations

import argparse
import sys

from tools.local.errors import LocalStackError
from tools.local.running import SCHEDULES, URL, call


def main() -> int:
    """Call functions, or list those that have schedules; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make schedule ARGS="…"',
        description="Call functions of the stack that `make run` serves, now, as their schedules do. Without "
        "a name, list the schedules.",
    )
    parser.add_argument("function", nargs="?", help="such as RemindFunction")
    parser.add_argument("--url", default=URL, help="where the stack serves (default: %(default)s)")
    chosen = parser.parse_args()
    try:
        if chosen.function is None:
            for each in call("GET", chosen.url, SCHEDULES):
                print(f"{each['function']:<28} {each['schedule']}{'' if each['is_on'] else '  (off)'}")
            return 0
        called = call("POST", chosen.url, f"{SCHEDULES}/{chosen.function}")
    except LocalStackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not called["found"]:
        print(f"error: {chosen.function} has no schedule; without a name, all are listed", file=sys.stderr)
        return 1
    if not called["succeeded"]:
        print(f"{chosen.function} failed; the stack's terminal says why", file=sys.stderr)
        return 1
    print(f"{chosen.function} was called")
    return 0


if __name__ == "__main__":
    sys.exit(main())
