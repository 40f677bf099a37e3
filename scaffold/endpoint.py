"""What a new endpoint needs: files of its own, and lines in those that name every endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Self

METHODS = ("GET", "POST", "PATCH", "DELETE")
"""Methods that the template's CORS allows."""

_PATTERN = "board"  # the smallest function: its role may do nothing but log
_SECTION = "  # ---------------------------------------------------------- pages for people\n"
_PARAMETER = re.compile(r"{(\w+)}")


class InvalidEndpoint(Exception):
    """The name or the route of a new endpoint cannot be."""


@dataclass(frozen=True)
class NewEndpoint:
    """An endpoint to write."""

    name: str
    method: str
    path: str

    @classmethod
    def parse(cls, name: str, route: str) -> Self:
        """Read a name, such as `get_task_title`, and a route, such as `GET /tasks/{task_id}/title`.

        Raises:
            InvalidEndpoint: one of them is not of that form.
        """
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
            raise InvalidEndpoint(f"NAME is {name!r}; write it in lower case, such as get_task_title.")
        method, _, path = route.partition(" ")
        if method not in METHODS or not re.fullmatch(r"(/([a-z0-9-]+|{[a-z_]+}))+", path):
            raise InvalidEndpoint(
                f"ROUTE is {route!r}; write one of {', '.join(METHODS)} and a path: "
                'ROUTE="GET /tasks/{task_id}/title".'
            )
        return cls(name, method, path)

    @property
    def parameters(self) -> list[str]:
        """The names of its path parameters."""
        return _PARAMETER.findall(self.path)

    @property
    def logical_name(self) -> str:
        """What its resources' names in the template begin with."""
        return "".join(map(str.capitalize, self.name.split("_")))


def check(endpoint: NewEndpoint, routes: Iterable[tuple[str, str]]) -> None:
    """Compare a new endpoint with the routes that are there, each a method and a path.

    Raises:
        InvalidEndpoint: its route is taken, or API Gateway could not tell it from another.
    """
    for method, path in routes:
        if (method, path) == (endpoint.method, endpoint.path):
            raise InvalidEndpoint(f"{method} {path} is there already.")
        for ours, theirs in zip(endpoint.path.split("/"), path.split("/"), strict=False):
            if ours != theirs:
                if _PARAMETER.fullmatch(ours) and _PARAMETER.fullmatch(theirs):
                    raise InvalidEndpoint(f"{path} names the parameter {theirs}: use that instead of {ours}.")
                break


def edits(endpoint: NewEndpoint, root: Path) -> dict[Path, str]:
    """Work out what to write: the new text of each file.

    Raises:
        InvalidEndpoint: a function of this name is there, or a file has not the form that is known.
    """
    if (root / "functions" / endpoint.name).exists():
        raise InvalidEndpoint(f"functions/{endpoint.name} is there already. Choose another NAME.")
    key = f'    ("{endpoint.method}", "{endpoint.path}"): '
    return {
        root / f"functions/{endpoint.name}/app.py": _fill("app.py.txt", endpoint),
        root / f"events/{endpoint.name}.json": _event(endpoint, root),
        root / f"tests/contract/test_{endpoint.name}.py": _fill("test.py.txt", endpoint),
        root / "template.yaml": _before(root / "template.yaml", _SECTION, _resources(endpoint, root)),
        root / "tests/expected.py": _before(
            root / "tests/expected.py",
            "}\n\n# The routes that are answered without a token.",
            f'{key}{{"200", "401", "422"}},\n',
        ),
        root / "tests/smoke.py": _before(
            root / "tests/smoke.py", '    ("DELETE", "/tasks/{task_id}"): ', f"{key}Request(200),\n"
        ),
        root / "tests/component/test_permissions.py": _before(
            root / "tests/component/test_permissions.py",
            '    "invalidate_task_cache": ',
            f'    "{endpoint.name}": simply("{endpoint.name}", 200),\n',
        ),
    }


def _before(path: Path, marker: str, text: str) -> str:
    """Put text before a place in a file that is there once."""
    before, found, after = path.read_text("utf-8").partition(marker)
    if not found:
        raise InvalidEndpoint(f"{path} has no {marker.strip()!r}, before which the new lines would go.")
    return f"{before}{text}{found}{after}"


def _resources(endpoint: NewEndpoint, root: Path) -> str:
    """Write its function and its role like those of the pattern, but for those who are signed in."""
    name = _PATTERN.capitalize()
    found = re.search(
        rf"^  {name}Function:\n.*?^  {name}Role:\n.*?\n(?=\n  \S)",
        (root / "template.yaml").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    if not found:
        raise InvalidEndpoint(f"template.yaml has no {name}Function followed by {name}Role to copy.")
    text = found[0].replace(f"functions/{_PATTERN}", f"functions/{endpoint.name}")
    text = text.replace(name, endpoint.logical_name).replace("            Auth: {Authorizer: NONE}\n", "")
    text = text.replace("Method: GET", f"Method: {endpoint.method}").replace(
        "Path: /", f"Path: {endpoint.path}"
    )
    return f"{text}\n"


def _event(endpoint: NewEndpoint, root: Path) -> str:
    """Write a sample event: that of reading a task, with another route."""
    event: dict[str, Any] = json.loads((root / "events/get_task.json").read_text("utf-8"))
    known = event["pathParameters"]
    values = {name: known.get(name, f"a-{name.replace('_', '-')}") for name in endpoint.parameters}
    path = _PARAMETER.sub(lambda match: values[match[1]], endpoint.path)
    event.update(resource=endpoint.path, path=path, httpMethod=endpoint.method, pathParameters=values or None)
    event["requestContext"].update(path=path, resourcePath=endpoint.path, httpMethod=endpoint.method)
    return json.dumps(event, indent=2) + "\n"


def _fill(name: str, endpoint: NewEndpoint) -> str:
    """Fill in a template of this folder."""
    fields = endpoint.parameters or ["message"]
    returned = [f'"{field}": request.path_parameters["{field}"]' for field in endpoint.parameters]
    known = {"task_id": 'user.create()["id"]'}
    given = [f"    {field} = {known.get(field, repr(f'a-{field}'))}\n" for field in endpoint.parameters]
    expected = [f'"{field}": {field}' for field in endpoint.parameters]
    return Template(Path(__file__).with_name(name).read_text("utf-8")).substitute(
        route=f"{endpoint.method} {endpoint.path}",
        method=endpoint.method,
        name=endpoint.name,
        logical_name=endpoint.logical_name,
        summary=endpoint.name.replace("_", " ").capitalize(),
        tag="Users" if endpoint.path.startswith("/auth/") else "Tasks",
        fields="\n".join(f"    {field}: str" for field in fields),
        returned=", ".join(returned) or '"message": "TODO"',
        unused="" if endpoint.parameters else "  # noqa: ARG001 (every endpoint takes a request)",
        given="".join(given),
        url=f'{"f" if endpoint.parameters else ""}"{endpoint.path}"',
        expected=", ".join(expected) or '"message": "TODO"',
    )
