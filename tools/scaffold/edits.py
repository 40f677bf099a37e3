"""Files of a new endpoint, and edits of the files that list every endpoint."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template
from typing import Any

from tools.scaffold.endpoint import PARAMETER, InvalidEndpoint, NewEndpoint, new_files

_PATTERN = "board"  # the smallest function: its role only allows logs
_LONG_PATH = 50  # longer paths get a line of their own
_PATTERN_ROUTE = "Method: GET, Path: /, Auth: {Authorizer: NONE}"
# Markers that follow the new resources: the ends of the sections "signing in", "tasks" and of the alarms.
_AFTER_USERS = "  # -------------------------------------------------------------------- tasks\n"
_AFTER_TASKS = "  # ------------------------- the network of the cache"
_AFTER_ALARMS = "  RotationErrorsAlarm:\n"


def edits(endpoint: NewEndpoint, root: Path) -> dict[Path, str]:
    """Compute the new text of each file to write.

    Raises:
        InvalidEndpoint: a file has no place for the new lines.
    """
    code, event, test = (root / path for path in new_files(endpoint.name))
    key = f'    ("{endpoint.method}", "{endpoint.path}"): '
    return {
        code: _fill("app.py.txt", endpoint),
        event: _event(endpoint, root),
        test: _fill("test.py.txt", endpoint),
        root / "template.yaml": _template(endpoint, root),
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
        root / "docs/http-api.md": _before(
            root / "docs/http-api.md",
            "| `GET /` | no | the board",
            f"| `{endpoint.method} {endpoint.path}` | yes | {endpoint.name.replace('_', ' ')} |\n",
        ),
    }


def _is_of_users(endpoint: NewEndpoint) -> bool:
    return endpoint.path.startswith("/auth/")


def _before(path: Path, marker: str, text: str) -> str:
    """Insert text before a marker in a file."""
    return _insert(path.read_text("utf-8"), marker, text, path)


def _insert(whole: str, marker: str, text: str, path: Path) -> str:
    before, found, after = whole.partition(marker)
    if not found:
        raise InvalidEndpoint(f"{path} has no {marker.strip()!r}; the new lines go before it.")
    return f"{before}{text}{found}{after}"


def _template(endpoint: NewEndpoint, root: Path) -> str:
    """Add its function, role and alarm, copied from the pattern, but with a token required."""
    path, name = root / "template.yaml", _PATTERN.capitalize()
    whole = path.read_text("utf-8")
    function = _copy(whole, rf"{name}Function:\n.*?^  {name}Role", endpoint)
    function = function.replace(f"functions/{_PATTERN}", f"functions/{endpoint.name}")
    function = function.replace(_PATTERN_ROUTE, _route(endpoint))
    place = _AFTER_USERS if _is_of_users(endpoint) else _AFTER_TASKS
    whole = _insert(whole, place, function, path)
    return _insert(whole, _AFTER_ALARMS, _copy(whole, f"{name}ErrorsAlarm", endpoint), path)


def _route(endpoint: NewEndpoint) -> str:
    """Write its method and path for a YAML flow mapping, where a path with braces needs quotes."""
    path = f'"{endpoint.path}"' if endpoint.parameters else endpoint.path
    between = " " if len(path) < _LONG_PATH else "\n            "
    return f"Method: {endpoint.method},{between}Path: {path}"


def _copy(whole: str, resource: str, endpoint: NewEndpoint) -> str:
    """Copy one or more consecutive resources of the pattern, under the endpoint's name."""
    found = re.search(rf"^  {resource}:\n.*?\n(?=\n  \S)", whole, re.MULTILINE | re.DOTALL)
    if not found:
        raise InvalidEndpoint(f"template.yaml has no {resource} to copy.")
    return found[0].replace(_PATTERN.capitalize(), endpoint.logical_name) + "\n"


def _event(endpoint: NewEndpoint, root: Path) -> str:
    """Write a sample event, from that of get_task."""
    event: dict[str, Any] = json.loads((root / "events/get_task.json").read_text("utf-8"))
    known = event["pathParameters"]
    values = {name: known.get(name, _value(name)) for name in endpoint.parameters}
    path = PARAMETER.sub(lambda match: values[match[1]], endpoint.path)
    event.update(resource=endpoint.path, path=path, httpMethod=endpoint.method, pathParameters=values or None)
    event["requestContext"].update(path=path, resourcePath=endpoint.path, httpMethod=endpoint.method)
    return json.dumps(event, indent=2) + "\n"


def _value(parameter: str) -> str:
    return f"a-{parameter.replace('_', '-')}"


def _fill(name: str, endpoint: NewEndpoint) -> str:
    """Fill in a template of this folder."""
    names = endpoint.parameters
    has_task = "task_id" in names
    url = PARAMETER.sub(lambda found: found[0] if found[1] == "task_id" else _value(found[1]), endpoint.path)
    expected = {each: each if each == "task_id" else f'"{_value(each)}"' for each in names}
    message = {"message": '"TODO"'}
    return Template(Path(__file__).with_name(name).read_text("utf-8")).substitute(
        route=f"{endpoint.method} {endpoint.path}",
        method=endpoint.method,
        name=endpoint.name,
        logical_name=endpoint.logical_name,
        summary=endpoint.name.replace("_", " ").capitalize(),
        tag="Users" if _is_of_users(endpoint) else "Tasks",
        fields="\n".join(f"    {field}: str" for field in names or message),
        returned=_dict({each: f'request.path_parameters["{each}"]' for each in names} or message),
        unused="" if names else "  # noqa: ARG001 (every endpoint takes a request)",
        given='    task_id = user.create()["id"]\n' if has_task else "",
        url=f'{"f" if has_task else ""}"{url}"',
        expected=_dict(expected or message),
    )


def _dict(items: dict[str, str]) -> str:
    """Write a dict as the formatter does: one item inline, several on a line each."""
    lines = [f'"{key}": {value}' for key, value in items.items()]
    if len(lines) == 1:
        return f"{{{lines[0]}}}"
    return "{\n" + "".join(f"        {line},\n" for line in lines) + "    }"
