"""Keeps the policies of authorizers, as API Gateway does: per identity, for every route.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from tools.local.gateway.policy import Policy

DEFAULT_TTL = 300
"""Seconds for which a policy is kept where the template says nothing."""
_MAX_POLICIES = 1000


class AuthorizerCache:
    """The policies that authorizers returned lately; the oldest make room for new ones."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, max_policies: int = _MAX_POLICIES
    ) -> None:
        self._clock = clock
        self._max_policies = max_policies
        self._policies: OrderedDict[Hashable, tuple[float, Policy]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Policy | None:
        """Find a policy that is still valid."""
        with self._lock:
            expiry, policy = self._policies.get(key, (0.0, None))
            return policy if self._clock() < expiry else None

    def put(self, key: Hashable, policy: Policy, ttl: float) -> None:
        """Keep a policy for some seconds."""
        if ttl <= 0:
            return
        with self._lock:
            self._policies[key] = (self._clock() + ttl, policy)
            self._policies.move_to_end(key)
            while len(self._policies) > self._max_policies:
                self._policies.popitem(last=False)


def ttl_of(authorizers: Mapping[str, Any], name: str) -> float:
    """Read for how many seconds the policies of an authorizer are kept; 0 for not at all.

    Args:
        authorizers: `Auth.Authorizers` of the template's API.
        name: One of them.
    """
    identity = authorizers.get(name, {}).get("Identity", {})
    return float(identity.get("ReauthorizeEvery", DEFAULT_TTL))
