"""`make migrate`: migrate a stack's data to what its code and parameters expect."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from tools.migrations.m0001_status_shards import move_tasks_to_their_shards
from tools.migrations.m0002_composed_titles import compose_titles
from tools.migrations.m0003_listed_users import list_users
from tools.migrations.m0004_index_attributes import compute_index_attributes
from tools.migrations.m0005_trash_index import index_the_trash
from tools.migrations.runner import (
    RATE,
    Migration,
    MigrationError,
    Progress,
    Runner,
    TakenOver,
)
from tools.stacks import StackError, add_options, add_rate, chosen_stack, text_of

MIGRATIONS: tuple[Callable[[Mapping[str, str]], Migration], ...] = (
    move_tasks_to_their_shards,
    compose_titles,
    list_users,
    compute_index_attributes,
    index_the_trash,
)
"""All migrations, ordered by number; each takes the stack's parameters."""

_LINE_INTERVAL = 1
"""Seconds between two lines of progress."""


def main() -> int:
    """Apply missing migrations, or list their status; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make migrate ARGS="…"',
        description="Migrate a stack's data to what its code and parameters expect. The API keeps serving "
        "meanwhile. Interrupted runs resume; finished migrations are not repeated.",
    )
    add_options(parser)
    parser.add_argument(
        "--status", action="store_true", help="change nothing; list the status of each migration"
    )
    parser.add_argument(
        "--again", action="store_true", help="apply all migrations again, even those recorded as applied"
    )
    add_rate(
        parser,
        RATE,
        "items to change per second (default: %(default)s); leave the rest of the 1,000 write units per "
        "index partition to the API's own writes",
    )
    chosen = parser.parse_args()
    try:
        stack = chosen_stack(chosen)
        runner = Runner(stack.dynamodb, stack.tables, chosen.rate)
        for migration in (make(stack.parameters) for make in MIGRATIONS):
            if chosen.status:
                print(f"{_name(migration)}: {_state(runner.progress(migration))}")
            else:
                _apply(runner, migration, again=chosen.again)
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to resume", file=sys.stderr)
        return 130
    except (MigrationError, StackError, BotoCoreError, ClientError, ValueError) as error:
        print(f"error: {text_of(error)}", file=sys.stderr)
        return 1
    except TakenOver:
        print("error: another run has started, and continues instead of this one", file=sys.stderr)
        return 1
    return 0


def _apply(runner: Runner, migration: Migration, *, again: bool) -> None:
    before = None if again else runner.progress(migration)
    if before and before.finished_at:
        print(f"{_name(migration)}: {_state(before)}")
        return
    if before:
        print(f"{_name(migration)}: resuming after {before.read:,} items")
    total = runner.estimated_items(migration)
    told_at = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _LINE_INTERVAL:
            told_at = time.monotonic()
            share = f" ({min(100, 100 * progress.read // total)} %)" if total else ""
            print(
                f"{_name(migration)}: {progress.read:,} items read{share}, {progress.changed:,} changed",
                flush=True,
            )

    done = runner.apply(migration, report, again=again)
    print(f"{_name(migration)}: {_state(done)}")


def _name(migration: Migration) -> str:
    return f"{migration.number:04} {migration.title}"


def _state(progress: Progress | None) -> str:
    if progress is None:
        return "not applied"
    if progress.finished_at is None:
        return f"interrupted after {progress.read:,} items"
    left = f", {progress.left:,} skipped: decide what to do with them" if progress.left else ""
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(progress.finished_at))
    return f"applied {when}; {progress.read:,} items read, {progress.changed:,} changed{left}"


if __name__ == "__main__":
    sys.exit(main())
