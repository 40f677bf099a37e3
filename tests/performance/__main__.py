"""`make bench`: measure, and write each section of RESULTS.md and its plots as soon as it is measured."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.optional import CHROMIUM, LAMBDA_PYTHON
from tests.performance import board, cold_start, development, growth, index_limits, local_load, warm_path
from tests.performance.report import RESULTS, machine, put_section

SECTIONS: dict[str, Callable[[], str]] = {
    "cold-start": cold_start.measure,
    "warm-path": warm_path.measure,
    "growth": growth.measure,
    "index-limits": index_limits.measure,
    "development": development.measure,
    "local-load": local_load.measure,
    "board": board.measure,
}
NEED_LAMBDA_PYTHON = {"cold-start", "warm-path", "development"}


def main() -> None:
    """Measure the given sections, or all of them."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="…"', description=__doc__)
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        help=f"measure only these: {', '.join(SECTIONS)}; the other sections of RESULTS.md do not change",
    )
    chosen = parser.parse_args().sections or list(SECTIONS)
    if unknown := set(chosen) - SECTIONS.keys():
        parser.error(f"no such section: {', '.join(sorted(unknown))}. Choose from: {', '.join(SECTIONS)}")
    if LAMBDA_PYTHON.find() is None and NEED_LAMBDA_PYTHON & set(chosen):
        sys.exit("error: these sections need python3.13, the version that Lambda runs")
    if CHROMIUM.find() is None and "board" in chosen:
        sys.exit("error: the section board needs Chromium; name the other sections")
    for number, name in enumerate(SECTIONS, 1):
        if name in chosen:
            print(name, file=sys.stderr, flush=True)
            started = time.monotonic()
            text = SECTIONS[name]()
            took = f"{datetime.now(UTC):%Y-%m-%d}, in {(time.monotonic() - started) / 60:.0f} min"
            put_section(number, f"{text.rstrip()}\n\n*Measured {took}: {machine()}.*\n")
    print(f"wrote {RESULTS}", file=sys.stderr)


if __name__ == "__main__":
    main()
