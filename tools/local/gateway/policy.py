"""The IAM policies that authorizers return.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

_ACTION = "execute-api:Invoke"
_DATE_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "DateEquals": operator.eq,
    "DateNotEquals": operator.ne,
    "DateLessThan": operator.lt,
    "DateLessThanEquals": operator.le,
    "DateGreaterThan": operator.gt,
    "DateGreaterThanEquals": operator.ge,
}


class InvalidPolicy(Exception):
    """What an authorizer returned is not a policy; the message says why."""


@dataclass(frozen=True)
class Policy:
    """An authorizer's answer: whom it is about, what is allowed, and what functions are told."""

    statements: tuple[Mapping[str, Any], ...]
    context: Mapping[str, str]

    @classmethod
    def parse(cls, payload: bytes) -> Policy:
        """Read what the authorizer returned.

        Raises:
            InvalidPolicy: API Gateway would not take it.
        """
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise InvalidPolicy("it is no JSON") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("principalId"), str):
            raise InvalidPolicy("it has no principalId")
        document = answer.get("policyDocument")
        statements = document.get("Statement") if isinstance(document, dict) else None
        statements = [statements] if isinstance(statements, dict) else statements
        if not isinstance(statements, list) or not statements:
            raise InvalidPolicy("its policyDocument has no Statement")
        for statement in statements:
            if not isinstance(statement, dict) or statement.get("Effect") not in {"Allow", "Deny"}:
                raise InvalidPolicy("a Statement has no Effect of Allow or Deny")
            if not _strings(statement.get("Action")) or not _strings(statement.get("Resource")):
                raise InvalidPolicy("a Statement lacks Action or Resource")
        return cls(tuple(statements), {**_context(answer), "principalId": answer["principalId"]})

    def allows(self, method_arn: str, now: float) -> bool:
        """Tell whether a method may be called at a time, in seconds since 1970; a Deny wins."""
        effects = {s["Effect"] for s in self.statements if _applies(s, method_arn, now)}
        return effects == {"Allow"}


def _context(answer: Mapping[str, Any]) -> dict[str, str]:
    """Write the values of `context` as API Gateway hands them to functions: as text."""
    context = answer.get("context") or {}
    if not isinstance(context, dict) or any(isinstance(value, dict | list) for value in context.values()):
        raise InvalidPolicy("its context is not a map of strings, numbers and booleans")
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in context.items()
        if value is not None
    }


def _applies(statement: Mapping[str, Any], method_arn: str, now: float) -> bool:
    return (
        any(_matches(action, _ACTION, re.IGNORECASE) for action in _strings(statement["Action"]))
        and any(_matches(resource, method_arn) for resource in _strings(statement["Resource"]))
        and _holds(statement, now)
    )


def _holds(statement: Mapping[str, Any], now: float) -> bool:
    """Evaluate conditions on the time; one that cannot be evaluated here allows nothing and denies."""
    for name, keys in (statement.get("Condition") or {}).items():
        for key, value in keys.items():
            compare = _DATE_OPERATORS.get(name)
            moments = [_timestamp(text) for text in _strings(value)]
            if compare is None or key.lower() != "aws:currenttime" or None in moments:
                return bool(statement["Effect"] == "Deny")
            if not any(compare(now, moment) for moment in moments if moment is not None):
                return False
    return True


def _timestamp(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str)]


def _matches(pattern: str, text: str, flags: int = 0) -> bool:
    return _compiled(pattern, flags).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    wildcards = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(wildcards, flags | re.DOTALL)
