"""`make users`: resets a user's password, deletes a user, or exports a user's data."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sys
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws import ConditionFailed, Item
from shared.errors import DomainError
from shared.tasks.document import task_document, trashed_task_document
from shared.tasks.history import change_from_item
from shared.tasks.table import task_from_item
from shared.tasks.trash_items import trashed_from_item
from shared.users.api_key import keys_from_item
from shared.users.api_keys import list_key
from shared.users.attempts import Counter
from shared.users.document import api_key_document, user_document
from shared.users.store import deletion, password_change
from shared.users.table import UsersTable, text
from shared.users.user import is_user, user_from_item, user_key
from tools.stacks import Stack, StackError, add_options, chosen_stack, text_of

_PASSWORD_BYTES = 12


def main() -> int:
    """Run the chosen command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make users ARGS="…"', description="Manage a user of a stack, in AWS or on this machine."
    )
    add_options(parser)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text_ in (
        ("set-password", "set and print a new password; all sessions and API keys end"),
        ("delete", "delete a user with sessions and API keys; tasks stay, and the name stays taken"),
        ("export", "print all stored data of a user, as JSON; scans three tables"),
    ):
        command = commands.add_parser(name, help=text_, description=f"{text_[0].upper()}{text_[1:]}.")
        command.add_argument("username")
        if name == "delete":
            command.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    chosen = parser.parse_args()
    try:
        return _run(chosen, chosen_stack(chosen))
    except (EOFError, KeyboardInterrupt):
        print("\nnothing was done", file=sys.stderr)
    except ConditionFailed:
        print("error: the user was changed at the same time. Run this again.", file=sys.stderr)
    except (StackError, DomainError, BotoCoreError, ClientError) as error:
        print(f"error: {text_of(error)}", file=sys.stderr)
    return 1


def _run(chosen: argparse.Namespace, stack: Stack) -> int:
    table = UsersTable(stack.dynamodb, stack.tables["UsersTable"])
    user, keys = table.read(user_key(chosen.username), list_key(chosen.username))
    if user is None or not is_user(user):
        print(f"error: there is no user {chosen.username}", file=sys.stderr)
        return 1
    match chosen.command:
        case "set-password":
            password = secrets.token_urlsafe(_PASSWORD_BYTES)
            change = password_change(table, user, keys, password, text(str(uuid.uuid4())))
            # An attacker's guesses may have locked the user out.
            table.write(*change, table.delete(Counter.of_strangers(user["username"]["S"]).key))
            print(f"The new password of {chosen.username}: {password}")
        case "delete":
            if (
                not chosen.yes
                and input(f"Delete {chosen.username} for good? Type the name: ") != chosen.username
            ):
                print("nothing was done", file=sys.stderr)
                return 1
            table.write(*deletion(table, user, keys))
            print(f"{chosen.username} is deleted.")
        case "export":
            print(json.dumps(_export(stack, user, keys), indent=2, ensure_ascii=False))
    return 0


def _export(stack: Stack, user: Item, keys: Item | None) -> dict[str, Any]:
    name, id_, known = user["username"]["S"], user["id"]["S"], user_from_item(user)
    of_user, of_kind = "begins_with(username, :kind) AND #user = :user", "begins_with(pk, :kind)"
    sessions = _scan(stack, "UsersTable", of_user, kind="session#", user=name)
    requests = _scan(stack, "TasksTable", of_kind, kind=f"KEY#{id_}#")
    tasks = _scan(stack, "TasksTable", f"{of_kind} AND created_by = :user", kind="TASK#", user=id_)
    trash = _scan(stack, "TasksTable", f"{of_kind} AND #task.created_by = :user", kind="TRASH#", user=id_)
    changes = _scan(stack, "HistoryTable", "#by = :by", by=known.username)
    return {
        "user": user_document(known),
        "sessions": [
            {moment: int(item[moment]["N"]) for moment in ("created_at", "expires_at")} for item in sessions
        ],
        "api_keys": [api_key_document(key) for key in keys_from_item(keys).values()],
        "idempotency_keys": [item["pk"]["S"].removeprefix(f"KEY#{id_}#") for item in requests],
        "tasks": [task_document(task_from_item(item)) for item in tasks],
        "trash": [trashed_task_document(trashed_from_item(item)) for item in trash],
        "changes": [{"task_id": item["task_id"]["S"], **change_from_item(item)} for item in changes],
    }


def _scan(stack: Stack, table: str, condition: str, **values: str) -> list[Item]:
    names = {f"#{name}": name for name in re.findall(r"#(\w+)", condition)}
    pages = stack.dynamodb.get_paginator("scan").paginate(
        TableName=stack.tables[table],
        ConsistentRead=True,
        FilterExpression=condition,
        ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
        **({"ExpressionAttributeNames": names} if names else {}),  # type: ignore[arg-type]
    )
    return [item for page in pages for item in page["Items"]]


if __name__ == "__main__":
    sys.exit(main())
