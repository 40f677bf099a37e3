"""The functions that write to a stack's tables, switched off and on again.

A reserved concurrency of 0 switches a function off for whoever calls it: the gateway, a queue, a schedule. It
needs none of the account's concurrency, and there is nothing to remember, because the template reserves none.
Throttling the API's stage would leave what queues call.
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
"""Seconds after which Lambda starts no more calls of a function that was switched off."""


def functions_that_write(tables: Collection[str]) -> list[str]:
    """List the functions of the template that may write to tables, all by logical ids."""
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
    """Functions of a stack that write."""

    def __init__(self, stack: Stack, logical_ids: Sequence[str]) -> None:
        """Find them in a stack.

        Raises:
            StackError: the stack has functions that the template here has not, and which may write.
        """
        self._lambda = stack.client("lambda")
        deployed = stack.resources("AWS::Lambda::Function")
        known = {name for name, resource in _template().items() if resource["Type"] == _FUNCTION}
        if unknown := sorted(deployed.keys() - known):
            raise StackError(
                f"The stack {stack.name} has {', '.join(unknown)}, which the template here has not. Check "
                "out the release that is deployed, and run this there."
            )
        self.names = [deployed[each] for each in logical_ids if each in deployed]

    def check(self, *, may_be_off: bool) -> None:
        """Make sure that switching them on again will leave them as they are.

        Args:
            may_be_off: Whether an interrupted run may have switched them off.

        Raises:
            StackError: one has a reserved concurrency, which would be gone.
        """
        for name in self.names:
            reserved = self._lambda.get_function_concurrency(FunctionName=name).get(
                "ReservedConcurrentExecutions"
            )
            if reserved is not None and (reserved or not may_be_off):
                raise StackError(
                    f"{name} has a reserved concurrency of {reserved}, which this would take away. Do that "
                    "yourself, and give it back in the end: aws lambda delete-function-concurrency "
                    f"--function-name {name}"
                )

    def switch_off(self) -> None:
        """Switch them off, and wait until calls that have begun are over."""
        longest = 0
        for name in self.names:
            self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            longest = max(longest, self._lambda.get_function_configuration(FunctionName=name)["Timeout"])
        print(f"writes are off; those that have begun may take {longest + _SETTLE} s", flush=True)
        time.sleep(longest + _SETTLE)  # nobody tells which calls are under way

    def switch_on(self) -> None:
        """Switch them on again."""
        for name in self.names:
            self._lambda.delete_function_concurrency(FunctionName=name)
        print("writes are on again", flush=True)
