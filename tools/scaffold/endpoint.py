"""A new endpoint: its name and route, and their validation."""

from __future__ import annotations

import json
import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tools.local.template import Template
from tools.openapi.__main__ import DOCUMENT

METHODS = ("GET", "POST", "PATCH", "DELETE")
"""Methods that the template's CORS allows."""
EXAMPLE = 'NAME=get_task_title ROUTE="GET /tasks/{task_id}/title"'

PARAMETER = re.compile(r"{(\w+)}")
"""A path parameter."""

_WORD = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
_MAX_NAME = 32  # so that no generated line is too long
_MAX_PATH = 60
# See https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
_RESERVED = ("/ping", "/sping")


class InvalidEndpoint(Exception):
    """The name or the route of a new endpoint is invalid or taken."""


@dataclass(frozen=True)
class NewEndpoint:
    """An endpoint to write."""

    name: str
    method: str
    path: str

    @classmethod
    def parse(cls, name: str, route: str) -> Self:
        """Parse a name, such as `get_task_title`, and a route, such as `GET /tasks/{task_id}/title`.

        Raises:
            InvalidEndpoint: one of them is invalid.
        """
        if not name or not route:
            raise InvalidEndpoint(f"Give the new endpoint a NAME and a ROUTE: make endpoint {EXAMPLE}")
        if not re.fullmatch(_WORD, name):
            raise InvalidEndpoint(f"NAME is {name!r}; write it in lower case, such as get_task_title.")
        if len(name) > _MAX_NAME:
            raise InvalidEndpoint(f"NAME has {len(name)} characters; the maximum is {_MAX_NAME}.")
        method, _, path = route.partition(" ")
        if method not in METHODS or not re.fullmatch(rf"(/([a-z0-9-]+|{{{_WORD}}}))+", path):
            raise InvalidEndpoint(
                f"ROUTE is {route!r}; write one of {', '.join(METHODS)}, and a path in lower case, "
                'without a slash at its end, such as "GET /tasks/{task_id}/title".'
            )
        if len(path) > _MAX_PATH:
            raise InvalidEndpoint(f"The path has {len(path)} characters; the maximum is {_MAX_PATH}.")
        endpoint = cls(name, method, path)
        endpoint._check_words()
        return endpoint

    @property
    def parameters(self) -> list[str]:
        """The names of its path parameters."""
        return PARAMETER.findall(self.path)

    @property
    def logical_name(self) -> str:
        """Prefix of its resources' names in the template."""
        return "".join(map(str.capitalize, self.name.split("_")))

    def _check_words(self) -> None:
        for word in (self.name, *self.parameters):
            if keyword.iskeyword(word):
                raise InvalidEndpoint(f"{word!r} is a keyword of Python. Choose another.")
            if self.parameters.count(word) > 1:
                raise InvalidEndpoint(
                    f"{self.path} has {{{word}}} twice. Give each parameter a name of its own."
                )
        if self.path in _RESERVED:
            raise InvalidEndpoint(f"API Gateway reserves {self.path}. Choose another path.")


def check(endpoint: NewEndpoint, template: Template) -> None:
    """Compare a new endpoint with the existing ones.

    Raises:
        InvalidEndpoint: its name or route is taken, or API Gateway cannot tell its route from another.
    """
    for route in template.api.routes:
        if endpoint.path == route.path and endpoint.method in route.methods:
            raise InvalidEndpoint(f"{endpoint.method} {endpoint.path} already exists.")
        _check_parameters(endpoint.path, route.path)
    name = endpoint.logical_name
    ids = [f"{name}Function", f"{name}Role", f"{name}ErrorsAlarm"]
    taken = [f"the resource {each} in {template.path.name}" for each in ids if each in template.resources]
    taken += [str(path) for path in new_files(endpoint.name) if (template.root / path).exists()]
    schemas = json.loads((template.root / DOCUMENT).read_text("utf-8"))["components"]["schemas"]
    taken += [f"the schema {each} in {DOCUMENT}" for each in schemas if each == name]
    if taken:
        raise InvalidEndpoint(f"NAME is {endpoint.name!r}, but {taken[0]} already exists. Choose another.")


def _check_parameters(new: str, present: str) -> None:
    """API Gateway allows only one parameter name after the same path prefix."""
    for ours, theirs in zip(new.split("/"), present.split("/"), strict=False):
        if ours != theirs:
            if PARAMETER.fullmatch(ours) and PARAMETER.fullmatch(theirs):
                raise InvalidEndpoint(f"{present} names the parameter {theirs}: use that instead of {ours}.")
            return


def new_files(name: str) -> tuple[Path, Path, Path]:
    """An endpoint's own files: its code, its sample event and its contract test."""
    return (
        Path(f"functions/{name}/app.py"),
        Path(f"events/{name}.json"),
        Path(f"tests/contract/test_{name}.py"),
    )
