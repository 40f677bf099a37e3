"""`make bench`: measures, and writes RESULTS.md with its plots."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from tests.performance import cold_start, development, growth, index_limits, warm_path
from tests.performance.report import RESULTS, machine
from tests.sam_cli import LAMBDA_PYTHON

SECTIONS: dict[str, Callable[[], str]] = {
    "cold-start": cold_start.measure,
    "warm-path": warm_path.measure,
    "growth": growth.measure,
    "index-limits": index_limits.measure,
    "development": development.measure,
}
_NEED_LAMBDA_PYTHON = {"cold-start", "warm-path", "development"}


def main() -> None:
    """Measure what is asked for; all of it is what RESULTS.md is written from."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        help=f"print only these, and leave RESULTS.md as it is: {', '.join(SECTIONS)}",
    )
    chosen = parser.parse_args().sections
    if unknown := set(chosen) - SECTIONS.keys():
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    if LAMBDA_PYTHON is None and (not chosen or _NEED_LAMBDA_PYTHON & set(chosen)):
        sys.exit("error: python3.13, which Lambda runs, is needed to build and to measure what it would run")
    started = time.monotonic()
    texts = []
    for name in chosen or SECTIONS:
        print(f"{name}", file=sys.stderr, flush=True)
        texts.append(SECTIONS[name]())
    if chosen:
        print("\n".join(texts))
        return
    minutes = (time.monotonic() - started) / 60
    RESULTS.write_text(
        f"# How fast it is\n\n`make bench` wrote this in {minutes:.0f} min ({machine()}; functions ran on Lambda's "
        "Python 3.13).\nTimes compare only within a table: what runs side by side ran in turn, in one run. "
        "Counts are exact.\n\n" + "\n".join(texts),
        "utf-8",
    )
    print(f"wrote {RESULTS}", file=sys.stderr)


if __name__ == "__main__":
    main()
