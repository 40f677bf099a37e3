"""Asks Lambda authorizers whether a request is allowed, and caches their policies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from samcli.local.apigw.authorizers.lambda_authorizer import LambdaAuthorizer

from tools.local.gateway import gateway_responses as kinds
from tools.local.gateway.authorizer_cache import AuthorizerCache, ttl_of
from tools.local.gateway.policy import InvalidPolicy, Policy
from tools.local.runtime.output import Write
from tools.local.runtime.warm import Functions

MakeEvent = Callable[[], dict[str, Any]]


class Refused(Exception):
    """The request is refused."""

    def __init__(self, kind: str) -> None:
        """Take the type of the gateway response that says so."""
        super().__init__(kind)
        self.kind = kind


class Authorizers:
    """The Lambda authorizers of an API."""

    def __init__(
        self, functions: Functions, declared: Mapping[str, Any], cache: AuthorizerCache | None, report: Write
    ) -> None:
        """Prepare to ask.

        Args:
            functions: Runs the authorizers.
            declared: `Auth.Authorizers` of the template's API.
            cache: Keeps policies; None asks for each request.
            report: Takes the name of an authorizer and what is wrong with its answer.
        """
        self._functions = functions
        self._declared = declared
        self._cache = cache
        self._report = report

    def authorize(
        self,
        authorizer: LambdaAuthorizer,
        identity: tuple[str, ...],
        method_arn: str,
        make_event: MakeEvent,
    ) -> Mapping[str, str]:
        """Find out whether a method may be called; returns the context that the function receives.

        Args:
            authorizer: The route's authorizer.
            identity: The values of its identity sources in this request.
            method_arn: The method.
            make_event: Makes the authorizer's event, if it has to be asked.

        Raises:
            Refused: it may not, or the authorizer failed.
        """
        policy = self._policy(authorizer, identity, make_event)
        if not policy.allows(method_arn, time.time()):
            raise Refused(kinds.ACCESS_DENIED)
        return policy.context

    def _policy(
        self,
        authorizer: LambdaAuthorizer,
        identity: tuple[str, ...],
        make_event: MakeEvent,
    ) -> Policy:
        ttl = ttl_of(self._declared, authorizer.authorizer_name)
        if self._cache is None or ttl <= 0:
            return self._ask(authorizer, make_event())
        # The key includes the code, so that an edited authorizer is called again.
        key = (authorizer.authorizer_name, identity, self._functions.code(authorizer.lambda_name))
        policy = self._cache.get(key)
        if policy is None:
            policy = self._ask(authorizer, make_event())
            self._cache.put(key, policy, ttl)
        return policy

    def _ask(self, authorizer: LambdaAuthorizer, event: dict[str, Any]) -> Policy:
        name = authorizer.lambda_name
        result = self._functions.invoke(name, json.dumps(event).encode())
        if result.failed:
            # An authorizer refuses a token by an error with exactly this message.
            unauthorized = json.loads(result.payload).get("errorMessage") == "Unauthorized"
            raise Refused(kinds.UNAUTHORIZED if unauthorized else kinds.AUTHORIZER_FAILURE)
        try:
            return Policy.parse(result.payload)
        except InvalidPolicy as error:
            self._report(name, f"The authorizer's answer is not a policy: {error}")
            raise Refused(kinds.AUTHORIZER_CONFIGURATION_ERROR) from error
