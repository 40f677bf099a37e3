"""Switches the functions that write to a stack's tables off and on again.

A reserved concurrency of 0 switches a function off for all callers: the gateway, queues and schedules. It
needs none of the account's concurrency, and no earlier setting has to be saved, because the template reserves
none. Throttling the API's stage would not stop functions that queues call.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from tools.stacks import Stack, StackError

_WRITES = {f"dynamodb:{each}Item" for each in ("Put", "Update", "Delete", "BatchWrite")}
_FUNCTION = "AWS::Serverless::Function"
_SETTLE = 15
"""Seconds after which Lambda starts no more calls of a switched-off function."""


def functions_that_write(tables: Collection[str]) -> list[str]:
    """List the functions of the template that may write to these tables, by logical ids."""
    resources = _template()
    return [
        name
        for name, resource in resources.items()
        if resource["Type"] == _FUNCTION
        and any(_writes(each, tables) for each in _statements(resources, resource["Properties"]["Role"]))
    ]


def _template() -> dict[str, Any]:
    resources: dict[str, Any] = yaml_parse(Path("template.yaml").read_text("utf-8"))["Resources"]
    return resources


def _statements(resources: dict[str, Any], role: dict[str, Any]) -> list[dict[str, Any]]:
    properties = resources[role["Fn::GetAtt"][0]]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    return [statement for document in documents for statement in document["Statement"]]


def _writes(statement: dict[str, Any], tables: Collection[str]) -> bool:
    actions, resources = (_list(statement[key]) for key in ("Action", "Resource"))
    return bool(_WRITES.intersection(actions)) and any(
        isinstance(each, dict) and each.get("Fn::GetAtt", [""])[0] in tables for each in resources
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class Writers:
    """A stack's functions that write."""

    def __init__(self, stack: Stack, logical_ids: Sequence[str]) -> None:
        """Find the functions in a stack.

        Raises:
            StackError: the stack has functions that the template does not have, and that may write.
        """
        self._lambda = stack.client("lambda")
        deployed = stack.resources("AWS::Lambda::Function")
        known = {name for name, resource in _template().items() if resource["Type"] == _FUNCTION}
        if unknown := sorted(deployed.keys() - known):
            raise StackError(
                f"The stack {stack.name} has {', '.join(unknown)}, which template.yaml does not have. Check "
                "out the deployed release, and run this again."
            )
        self.names = [deployed[each] for each in logical_ids if each in deployed]

    def check(self, *, may_be_off: bool) -> None:
        """Check that switching the functions on again will restore their current setting.

        Args:
            may_be_off: Whether an interrupted run may have switched them off.

        Raises:
            StackError: a function has a reserved concurrency, which would get lost.
        """
        for name in self.names:
            reserved = self._lambda.get_function_concurrency(FunctionName=name).get(
                "ReservedConcurrentExecutions"
            )
            if reserved is not None and (reserved or not may_be_off):
                raise StackError(
                    f"{name} has a reserved concurrency of {reserved}, which this would remove. Remove it "
                    "yourself, and set it again afterwards: aws lambda delete-function-concurrency "
                    f"--function-name {name}"
                )

    def switch_off(self) -> None:
        """Switch the functions off, and wait until running calls have ended."""
        longest = 0
        for name in self.names:
            self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            longest = max(longest, self._lambda.get_function_configuration(FunctionName=name)["Timeout"])
        print(f"writes are off; waiting {longest + _SETTLE} s for running calls to end", flush=True)
        time.sleep(longest + _SETTLE)  # Lambda does not report running calls

    def switch_on(self) -> None:
        """Switch the functions on again."""
        for name in self.names:
            self._lambda.delete_function_concurrency(FunctionName=name)
        print("writes are on again", flush=True)
