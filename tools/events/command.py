"""What `make redrive` and `make republish` share: options, pace, progress, and how they end."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from tools.stacks import Stack, StackError, add_options, add_rate, chosen_stack, text_of

RATE = 20
"""How many messages or events are sent a second, unless another number is asked for."""
_MAX_BATCH = 10
"""What one call to SQS or EventBridge takes."""
_LINE_INTERVAL = 1
"""Seconds between two lines about the progress."""


class Progress:
    """Keeps to a rate, and prints how far it is: a line each second, and one at the end, however it ends."""

    def __init__(self, rate: int, line: Callable[[], str]) -> None:
        """Begin.

        Args:
            rate: How much is sent a second.
            line: Tells how far it is.
        """
        self.batch_size = min(_MAX_BATCH, rate)
        """How much to send at once, so that no second has more than the rate."""
        self._rate = rate
        self._line = line
        self._free_at = self._told_at = time.monotonic()
        self._told = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()

    def pause(self, sent: int) -> None:
        """Wait until, after so much was sent, more may be."""
        now = time.monotonic()
        # Calls that took long are made up for, but with no burst of more than a second's worth.
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
    """Make a parser with the options that both commands have."""
    parser = argparse.ArgumentParser(prog=f'make {name} ARGS="…"', description=description)
    add_options(parser)
    add_rate(parser, RATE, "how many to send a second (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="change nothing; say how many there are")
    return parser


def run(chosen: argparse.Namespace, act: Callable[[argparse.Namespace, Stack], bool]) -> int:
    """Act on the chosen stack.

    Args:
        chosen: The options.
        act: Returns whether all went well; what did not, it has printed.

    Returns:
        The exit status: 0 if all went well, 1 if something is left, 2 after an error, 130 after Ctrl-C.
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
    """Say how long it takes to send so many."""
    seconds = -(-count // rate)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def complain(problem: str) -> None:
    """Print what somebody has to look at."""
    print(f"error: {problem}", file=sys.stderr, flush=True)
