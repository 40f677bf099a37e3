"""Checks the values of a template's parameters, as CloudFormation does before it creates anything.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from tools.local.errors import LocalStackError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LISTS = {"CommaDelimitedList", "List<Number>", "List<String>"}


def check_parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Check the given values, and the defaults of the others.

    Args:
        declared: The template's section `Parameters`.
        given: Values by name.

    Raises:
        LocalStackError: a value is not one that CloudFormation would take, is missing, or has no parameter.
    """
    if unknown := given.keys() - declared.keys():
        names = f"{', '.join(sorted(unknown))}. It has {', '.join(sorted(declared))}"
        raise LocalStackError(f"The template has no parameter {names}.")
    for name, parameter in declared.items():
        if name in given:
            value = given[name]
        elif "Default" in parameter:
            value = _text(parameter["Default"])
        else:
            raise LocalStackError(f"{name} has no default. Give a value: --parameter {name}=….")
        if reason := _reason(parameter, value):
            shown = "what was given" if parameter.get("NoEcho") else repr(value)
            subject = f"{name} cannot be" if name in given else f"The default of {name} cannot be"
            raise LocalStackError(f"{subject} {shown}. {parameter.get('ConstraintDescription') or reason}")


def _reason(parameter: Mapping[str, Any], value: str) -> str | None:
    """Describe what is wrong with a value; None if it is valid."""
    kind = str(parameter.get("Type", "String"))
    for item in [part.strip() for part in value.split(",")] if kind in _LISTS else [value]:
        if "Number" in kind:
            reason = _number_reason(parameter, item)
        else:
            reason = None if kind.startswith("AWS::SSM::") else _text_reason(parameter, item)
        if reason:
            return reason
        allowed = [_text(choice) for choice in parameter.get("AllowedValues", [])]
        if allowed and item not in allowed:
            return f"Give one of {', '.join(allowed)}."
    return None


def _number_reason(parameter: Mapping[str, Any], value: str) -> str | None:
    if not _NUMBER.fullmatch(value):
        return "Give a number."
    low, high = parameter.get("MinValue"), parameter.get("MaxValue")
    if low is not None and float(value) < float(low):
        return f"Give at least {low}."
    if high is not None and float(value) > float(high):
        return f"Give at most {high}."
    return None


def _text_reason(parameter: Mapping[str, Any], value: str) -> str | None:
    shortest, longest = parameter.get("MinLength"), parameter.get("MaxLength")
    if shortest is not None and len(value) < int(shortest):
        return f"Give at least {shortest} characters."
    if longest is not None and len(value) > int(longest):
        return f"Give at most {longest} characters."
    if (pattern := parameter.get("AllowedPattern")) is not None:
        # CloudFormation's patterns are Java's. Only CloudFormation checks those that Python cannot parse.
        with contextlib.suppress(re.error):
            if not re.fullmatch(str(pattern), value):
                return f"Give what matches {pattern}."
    return None


def _text(value: object) -> str:
    """Write a value of the template as CloudFormation reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)
