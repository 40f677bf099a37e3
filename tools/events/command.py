"""Shared by commands that write at a limited rate: options, rate, progress and exit status."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from tools.stacks import Stack, StackError, add_options, add_rate, chosen_stack, text_of

RATE = 20
"""Default number of messages or events to send per second."""
_MAX_BATCH = 10
"""Maximum entries per call to SQS or EventBridge."""
_LINE_INTERVAL = 1
"""Seconds between two lines of progress."""


class Progress:
    """Limits the rate and prints progress: a line each second, and one at the end, also after an error."""

    def __init__(self, rate: int, line: Callable[[], str]) -> None:
        """Start.

        Args:
            rate: Items to send per second.
            line: Returns a line that describes the progress.
        """
        self.batch_size = min(_MAX_BATCH, rate)
        """Items to send at once, so that no second exceeds the rate."""
        self._rate = rate
        self._line = line
        self._free_at = self._told_at = time.monotonic()
        self._told = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()

    def pause(self, sent: int) -> None:
        """Wait until the rate allows more, after `sent` items."""
        now = time.monotonic()
        # Catch up after slow calls, but with a burst of at most one second's items.
        self._free_at = max(self._free_at, now - 1) + sent / self._rate
        time.sleep(max(0, self._free_at - now))
        if time.monotonic() - self._told_at >= _LINE_INTERVAL:
            self._told_at = time.monotonic()
            self._tell()

    def _tell(self) -> None:
        if (line := self._line()) != self._told:
            self._told = line
            print(line, flush=True)


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Create a parser with the options that `make redrive` and `make republish` share."""
    parser = argparse.ArgumentParser(prog=f'make {name} ARGS="…"', description=description)
    add_options(parser)
    add_rate(parser, RATE, "how many to send per second (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="change nothing; print how many there are")
    return parser


def run(chosen: argparse.Namespace, act: Callable[[argparse.Namespace, Stack], bool]) -> int:
    """Act on the chosen stack.

    Args:
        chosen: The options.
        act: Returns whether everything succeeded; prints each failure.

    Returns:
        The exit status: 0 on success, 1 if something is left, 2 after an error, 130 after Ctrl-C.
    """
    try:
        return 0 if act(chosen, chosen_stack(chosen)) else 1
    except KeyboardInterrupt:
        print("interrupted; run it again for the rest", file=sys.stderr)
        return 130
    except (StackError, BotoCoreError, ClientError) as error:
        print(f"error: {text_of(error)}", file=sys.stderr)
    return 2


def duration(count: int, rate: int) -> str:
    """Describe how long it takes to send `count` items at a rate."""
    seconds = -(-count // rate)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def complain(problem: str) -> None:
    """Print a problem to stderr."""
    print(f"error: {problem}", file=sys.stderr, flush=True)
