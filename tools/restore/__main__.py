"""`make restore`: restores a stack's tables to a point in time, without a new stack."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.events.command import complain, duration, run
from tools.restore import copies, wanted
from tools.restore.copies import Copy
from tools.restore.differences import Differences
from tools.restore.marks import Marks, TakenOver
from tools.restore.writers import Writers, functions_that_write
from tools.stacks import Stack, StackError, add_options, add_rate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLES = {
    "TasksTable": ("TasksTable", "HistoryTable"),  # consistent only if both are from the same time
    "WebhooksTable": ("WebhooksTable",),
    "UsersTable": ("UsersTable",),
}
"""Values of --table, each with the tables to restore, in this order."""
RATE = 200
"""Default number of items to write per second."""
_COMPARED = 2500
"""Approximate number of items compared per second, from a machine in the region."""
_SINCE = "Objectives"
"""A parameter of the first version whose functions handle restored tasks."""
_WARNINGS = {
    "WebhooksTable": "Webhooks that were deleted since then come back, and so do replaced secrets.",
    "UsersTable": "Old passwords and API keys come back, including replaced and revoked ones, and users that "
    "were deleted since then. All sessions end, and nobody can sign in or out meanwhile.",
}


def main() -> int:
    """Restore the chosen tables; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make restore ARGS="…"',
        description="Restore tables of a stack to a point in time. The API keeps serving, but refuses writes "
        "while tables are compared. Safe to interrupt: writes stay off until you run the same command again "
        "and it completes.",
    )
    add_options(parser)
    parser.add_argument(
        "--to", required=True, type=_moment, metavar="TIME", help="such as 2026-11-30T12:00:00Z"
    )
    parser.add_argument(
        "--table",
        choices=TABLES,
        default="TasksTable",
        help="TasksTable, with the histories of tasks (default), WebhooksTable, or UsersTable",
    )
    add_rate(parser, RATE, "items to write per second (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="change nothing; print the plan")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    return run(parser.parse_args(), _restore)


def _moment(text: str) -> datetime:
    """Parse a time, rounded down to the second: DynamoDB restores no finer."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time; give one with its time zone, such as 2026-11-30T12:00:00Z"
        )
    return moment.astimezone(UTC).replace(microsecond=0)


def _restore(chosen: argparse.Namespace, stack: Stack) -> bool:
    if stack.endpoint_url:
        raise StackError(
            "The local stack has no point-in-time recovery: only a stack in AWS can be restored."
        )
    if _SINCE not in stack.parameters:
        raise StackError(
            f"The stack {stack.name} runs an earlier version. Deploy this version first: sam deploy."
        )
    client = stack.dynamodb
    pairs = [Copy.of(stack, table, chosen.to) for table in TABLES[chosen.table]]
    writers = Writers(stack, functions_that_write(TABLES[chosen.table]))
    marks, resumes = Marks(client, pairs[0].name), copies.exists(client, pairs[0])
    writers.check(may_be_off=resumes)
    if resumes and marks.are_done:
        print("The tables are already restored. Switching writes on, and deleting the temporary tables.")
        return chosen.dry_run or _finish(client, pairs, writers)
    copies.check(client, pairs, chosen.to)
    _tell(chosen, stack, pairs, writers)
    if chosen.dry_run:
        return True
    if not chosen.yes and input("Type the name of the stack to continue: ") != stack.name:
        complain("nothing was done")
        return False
    copies.make(client, pairs, chosen.to)
    marks.claim()
    try:
        writers.switch_off()
        for pair in pairs:
            Differences(client, pair, _wanted(stack, pair, pairs[0]), chosen.rate, marks.check).level()
        marks.set_done()  # so that no later run finds a copy and undoes new writes
    except TakenOver:
        raise
    except BaseException:
        complain("writes may be off, and the tables partly restored: run the same command again to finish")
        raise
    return _finish(client, pairs, writers)


def _finish(client: DynamoDBClient, pairs: Sequence[Copy], writers: Writers) -> bool:
    """Switch writes on, and delete the temporary tables."""
    try:
        writers.switch_on()
        copies.delete(client, pairs)
    except BaseException:
        complain(
            "the tables are restored, but writes may be off: run the same command again to switch them on"
        )
        raise
    return True


def _tell(chosen: argparse.Namespace, stack: Stack, pairs: Sequence[Copy], writers: Writers) -> None:
    """Print the plan."""
    items = sum(stack.dynamodb.describe_table(TableName=pair.table)["Table"]["ItemCount"] for pair in pairs)
    names = " and ".join(pair.logical_id for pair in pairs)
    resumes = all(copies.exists(stack.dynamodb, pair) for pair in pairs)
    print(
        f"{stack.name}: {names} as of {chosen.to:%Y-%m-%dT%H:%M:%SZ}. "
        "Later writes to them are lost.\n"
        f"{'They are already copied.' if resumes else 'They are copied first, while the API keeps serving.'} "
        f"Then the API refuses writes while about {items:,} items are compared, which takes "
        f"{duration(2 * items, _COMPARED)} or more, and differences are written, {chosen.rate} per second.\n"
        f"Switched off meanwhile: {', '.join(writers.names)}"
    )
    if chosen.table in _WARNINGS:
        print(_WARNINGS[chosen.table])


def _wanted(stack: Stack, pair: Copy, first: Copy) -> wanted.Wanted:
    """Choose which items of a table come back."""
    match pair.logical_id:
        case "TasksTable":
            return wanted.tasks(copies.made_at(stack.dynamodb, pair))
        case "HistoryTable":
            return wanted.histories(stack.dynamodb, first.table)
        case "UsersTable":
            return wanted.all_but_sessions
        case _:
            return wanted.all_of


if __name__ == "__main__":
    sys.exit(main())
