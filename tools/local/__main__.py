"""Command line of the local stack: `make run`, or `python -m tools.local`."""

from __future__ import annotations

import sys

from tools.local.errors import LocalStackError
from tools.local.options import parse_options
from tools.local.stack import serve


def main() -> int:
    """Serve; returns the exit status."""
    try:
        serve(parse_options(sys.argv[1:]))
    except LocalStackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
