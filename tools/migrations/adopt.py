"""`make adopt`: creates a new stack around the tables of a deleted one.

CloudFormation imports the tables into an otherwise empty stack; `sam deploy` then adds the rest. See
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources.html
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from samcli.yamlhelper import yaml_parse

TABLES = ("TasksTable", "UsersTable", "WebhooksTable", "HistoryTable")
"""Tables that CloudFormation retains when it deletes the stack."""
_CHANGE_SET = "adopt"


class AdoptionError(Exception):
    """The tables cannot be adopted."""


def main() -> int:
    """Create the stack; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make adopt ARGS="…"',
        description="Create a new stack around the tables of a deleted one; `sam deploy` completes it.",
    )
    parser.add_argument(
        "--stack-name",
        default="task-api",
        metavar="NAME",
        help="name of the new stack (default: %(default)s)",
    )
    parser.add_argument("--tasks-table", required=True, metavar="NAME", help="table with the tasks")
    parser.add_argument("--users-table", required=True, metavar="NAME", help="table with the users")
    parser.add_argument("--webhooks-table", metavar="NAME", help="table with the webhooks, if it exists")
    parser.add_argument(
        "--history-table", metavar="NAME", help="table with the histories of tasks, if it exists"
    )
    given = parser.parse_args()
    names = (given.tasks_table, given.users_table, given.webhooks_table, given.history_table)
    try:
        adopt(given.stack_name, {id_: name for id_, name in zip(TABLES, names, strict=True) if name})
    except (AdoptionError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(
        f"The stack {given.stack_name} has the tables. Now deploy the rest with your usual options: "
        f"sam build && sam deploy --stack-name {given.stack_name}, with --config-env prod if it is prod."
    )
    return 0


def adopt(stack: str, tables: dict[str, str]) -> None:
    """Import tables into a new stack.

    Args:
        stack: The stack's name.
        tables: The tables' names by their logical ids.

    Raises:
        AdoptionError: the stack exists, a table does not, or its key differs from the template's.
    """
    cloudformation: Any = boto3.client("cloudformation")
    _check(tables)
    if _exists(cloudformation, stack):
        raise AdoptionError(f"The stack {stack} already exists: delete it, or choose another --stack-name.")
    imported = [
        {
            "ResourceType": "AWS::DynamoDB::Table",
            "LogicalResourceId": logical_id,
            "ResourceIdentifier": {"TableName": name},
        }
        for logical_id, name in tables.items()
    ]
    change_set = {"StackName": stack, "ChangeSetName": _CHANGE_SET}
    cloudformation.create_change_set(
        **change_set,
        ChangeSetType="IMPORT",
        ResourcesToImport=imported,
        TemplateBody=json.dumps(_template_of(tables)),
    )
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(**change_set)
        cloudformation.execute_change_set(**change_set)
        cloudformation.get_waiter("stack_import_complete").wait(StackName=stack)
    except WaiterError as error:
        reason = _reason(cloudformation, stack) or error
        cloudformation.delete_stack(StackName=stack)  # it is empty, and would block the next attempt
        raise AdoptionError(f"CloudFormation could not import the tables: {reason}") from error


def _exists(cloudformation: Any, stack: str) -> bool:
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return False
    return True


def _reason(cloudformation: Any, stack: str) -> str | None:
    """Find out why an import failed: the reason of the change set, or of the first failed resource."""
    change_set = cloudformation.describe_change_set(StackName=stack, ChangeSetName=_CHANGE_SET)
    if change_set["Status"] == "FAILED":
        return str(change_set.get("StatusReason"))
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [each for each in reversed(events) if each["ResourceStatus"].endswith("FAILED")]
    return f"{failed[0]['LogicalResourceId']}: {failed[0].get('ResourceStatusReason')}" if failed else None


def _check(tables: dict[str, str]) -> None:
    """Compare the keys. CloudFormation does not, and would replace the tables at the next deployment."""
    dynamodb, declared = boto3.client("dynamodb"), _template_of(tables)["Resources"]
    for logical_id, name in tables.items():
        try:
            table = dynamodb.describe_table(TableName=name)["Table"]
        except dynamodb.exceptions.ResourceNotFoundException as error:
            raise AdoptionError(f"There is no table {name}. List all: aws dynamodb list-tables") from error
        if table["KeySchema"] != declared[logical_id]["Properties"]["KeySchema"]:
            raise AdoptionError(f"{name} is not a {logical_id}: its key differs from the template's.")


def _template_of(tables: Collection[str]) -> dict[str, Any]:
    """Extract tables, and the parameters that they refer to, from the template."""
    template = yaml_parse(Path("template.yaml").read_text("utf-8"))
    return {
        "Parameters": {"DeletionProtection": template["Parameters"]["DeletionProtection"]},
        # Retain, so that no failure of the import deletes them.
        "Resources": {name: {**template["Resources"][name], "DeletionPolicy": "Retain"} for name in tables},
    }


if __name__ == "__main__":
    sys.exit(main())
