"""The template as written, with intrinsic functions unresolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from samcli.yamlhelper import yaml_parse

from tests.local_stack import ROOT

TEXT = (ROOT / "template.yaml").read_text()
TEMPLATE: dict[str, Any] = yaml_parse(TEXT)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def of_type(prefix: str) -> list[str]:
    """Logical ids of the resources whose type begins with a prefix; there must be at least one."""
    names = [name for name, resource in RESOURCES.items() if resource["Type"].startswith(prefix)]
    assert names
    return names


def lines_of(logical_id: str) -> int:
    """Number of lines of a resource, without comments and blank lines.

    The definition of an anchor counts as one line, as does each use of it.
    """
    (block,) = re.findall(rf"^  {logical_id}:\n(?:    .*\n|\n)+", TEXT, re.MULTILINE)
    lines = 0
    anchor: int | None = None  # the indentation of the anchor that is being defined
    for line in block.splitlines():
        indentation = len(line) - len(line.lstrip(" -"))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if anchor is not None and indentation > anchor:
            continue
        lines += 1
        anchor = indentation if re.search(r"[ -]&[\w-]+( !\w+)?( #.*)?$", line) else None
    return lines


@dataclass(frozen=True)
class Route:
    """A method and a path that API Gateway routes to a function."""

    method: str
    path: str
    public: bool
    """Whether it needs no token."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Function:
    """A function and its event sources."""

    logical_id: str
    properties: Mapping[str, Any]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name of its folder and of its sample event."""
        return str(self.properties["CodeUri"]).removeprefix("functions/")

    @property
    def variables(self) -> Mapping[str, Any]:
        """Its own environment variables, without those from Globals."""
        variables: Mapping[str, Any] = self.properties.get("Environment", {}).get("Variables", {})
        return variables

    @property
    def timeout(self) -> int:
        """Its timeout in seconds."""
        return int(self.properties.get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"]))

    @property
    def role(self) -> str:
        """The logical id of its role."""
        return str(self.properties["Role"]["Fn::GetAtt"][0])

    @property
    def routes(self) -> list[Route]:
        events = [event["Properties"] for event in self._events if event["Type"] == "Api"]
        return [
            Route(event["Method"].upper(), event["Path"], event.get("Auth", {}).get("Authorizer") == "NONE")
            for event in events
        ]

    @property
    def _events(self) -> list[Any]:
        return list(self.properties.get("Events", {}).values())


def functions_of(template: Mapping[str, Any]) -> dict[str, Function]:
    """The functions by name."""
    functions = [
        Function(logical_id, resource["Properties"])
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    return {function.name: function for function in functions}


FUNCTIONS = functions_of(TEMPLATE)
GLOBAL_VARIABLES: Mapping[str, Any] = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
ROUTES = [route for function in FUNCTIONS.values() for route in function.routes]


_PSEUDO_PARAMETERS = {"AWS::StackName": "task-api", "AWS::StackId": "stack"}


def environment() -> dict[str, str]:
    """Environment variables of all functions, for tests: a resource's name is its logical id."""
    variables = [GLOBAL_VARIABLES, *(function.variables for function in FUNCTIONS.values())]
    return {name: _value(value) for each in variables for name, value in each.items()}


def _value(value: Any) -> str:
    """Resolve a value; one that only AWS knows is empty."""
    if isinstance(value, str):
        return value
    name = value.get("Ref", "")
    parameter = TEMPLATE["Parameters"].get(name, {})
    return str(parameter.get("Default", _PSEUDO_PARAMETERS.get(name, name)))
