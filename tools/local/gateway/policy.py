"""IAM policies of authorizers: which methods they allow, and until when.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

_ACTION = "execute-api:Invoke"
_UNTIL = ("DateLessThan", "aws:currenttime")
"""The one condition that is evaluated here."""


class InvalidPolicy(Exception):
    """The authorizer's result is not a policy; the message says why."""


@dataclass(frozen=True)
class Policy:
    """An authorizer's response: the principal, the policy, and the context for functions."""

    statements: tuple[Mapping[str, Any], ...]
    context: Mapping[str, str]

    @classmethod
    def parse(cls, payload: bytes) -> Policy:
        """Parse the authorizer's result.

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
        """Whether a method may be called at a Unix time in seconds; a Deny wins."""
        effects = {s["Effect"] for s in self.statements if _applies(s, method_arn, now)}
        return effects == {"Allow"}


def _context(answer: Mapping[str, Any]) -> dict[str, str]:
    """Convert the values of `context` to text, as API Gateway does."""
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
    """Evaluate conditions; one that cannot be evaluated here allows nothing and denies."""
    for name, keys in (statement.get("Condition") or {}).items():
        for key, value in keys.items():
            try:
                end = datetime.fromisoformat(value) if (name, key.lower()) == _UNTIL else None
            except (TypeError, ValueError):
                end = None
            if end is None:
                return bool(statement["Effect"] == "Deny")
            if now >= (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp():
                return False
    return True


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str)]


def _matches(pattern: str, text: str, flags: int = 0) -> bool:
    return _compiled(pattern, flags).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    wildcards = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(wildcards, flags | re.DOTALL)
