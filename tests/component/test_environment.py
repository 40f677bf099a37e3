"""The template sets exactly the environment variables that each function reads."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from tests import handlers
from tests.component.test_permissions import SCENARIOS
from tests.local_stack import ROOT
from tests.template import FUNCTIONS, GLOBAL_VARIABLES

BY_LAMBDA = ("AWS_", "LAMBDA_", "_HANDLER", "_X_AMZN_TRACE_ID", "PATH", "PYTHONPATH", "LANG", "TZ")
"""Prefixes of the variables that Lambda itself sets. See
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime"""

_LOOKUPS = {Mapping.get.__code__.co_filename, os.getenv.__code__.co_filename}
"""The files of the standard library with `os.environ.get`, `in` and `os.getenv`."""


def _is_ours(frame: FrameType) -> bool:
    path = Path(frame.f_code.co_filename)
    return path.is_relative_to(ROOT / "functions") or path.is_relative_to(ROOT / "shared")


def _reader(frame: FrameType | None) -> FrameType:
    while frame and frame.f_code.co_filename in _LOOKUPS:
        frame = frame.f_back
    assert frame
    return frame


class Environment:
    """Hides variables that the template does not set for a function, and records those that it reads."""

    def __init__(self, given: set[str]) -> None:
        self._given = given
        self.needed: dict[str, str] = {}
        """Variables read with `os.environ[...]`, and where. A read with a default does not count."""

    def watch(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a callable, so that it reads this environment."""
        environ = type(os.environ)
        look_up = environ.__getitem__

        def read(variables: os._Environ[str], name: str) -> str:
            caller = inspect.currentframe().f_back  # type: ignore[union-attr]
            reader = _reader(caller)
            if _is_ours(reader):
                if reader is caller:
                    path = Path(reader.f_code.co_filename).relative_to(ROOT)
                    self.needed[name] = f"{path}:{reader.f_lineno}"
                if name not in self._given and not name.startswith(BY_LAMBDA):
                    raise KeyError(name)
            return look_up(variables, name)

        def watched(*arguments: Any) -> Any:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(environ, "__getitem__", read)
                return call(*arguments)

        return watched


def run(function: str, given: set[str], patch: pytest.MonkeyPatch) -> Environment:
    """Run a function's scenario. Other functions in it have the environment of all tests."""
    environment = Environment(given)
    load = handlers.load_function

    def load_watched(name: str) -> ModuleType:
        if name != function:
            return load(name)
        module: ModuleType = environment.watch(load)(name)
        module.handler = environment.watch(module.handler)  # type: ignore[attr-defined]
        return module

    patch.setattr(handlers, "load_function", load_watched)
    try:
        SCENARIOS[function](set())
    except (AssertionError, KeyError):
        if environment.needed.keys() <= given:
            raise
    return environment


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_has_the_variables_that_it_reads(
    function: str, aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = FUNCTIONS[function]
    given = its.variables.keys() | GLOBAL_VARIABLES.keys()
    needed = run(function, given, monkeypatch).needed
    place = f"Environment.Variables of {its.logical_id} in template.yaml"
    advice = [
        f"Add {name} to {place}: functions/{function} reads it, in {where}."
        for name, where in needed.items()
        if name not in given and not name.startswith(BY_LAMBDA)
    ]
    if not advice:  # otherwise it stopped early, and did not read all
        advice += [
            f"Remove {name} from {place}: functions/{function} does not read it. If it comes from "
            "`<<: *cache-function`, write the properties out instead, as DeleteTaskFunction does."
            for name in its.variables.keys() - needed
        ]
    assert not advice, "\n" + "\n".join(advice)
