"""Errors of a token endpoint, as OAuth 2 clients read them (RFC 6749, section 5.2)."""

from __future__ import annotations

from shared import errors
from shared.api.problems import InvalidRequest, Problem, UnsupportedMediaType

_NAMES: dict[type[Exception], str] = {
    errors.BadCredentials: "invalid_grant",
    errors.InvalidRefreshToken: "invalid_grant",
    errors.UnsupportedGrant: "unsupported_grant_type",
    InvalidRequest: "invalid_request",
    UnsupportedMediaType: "invalid_request",
}


def with_oauth_error(problem: Problem, error: Exception) -> Problem:
    """Add OAuth 2's names to a problem, whose `detail` is their description."""
    names = (name for kind, name in _NAMES.items() if isinstance(error, kind))
    name = next(names, "temporarily_unavailable" if problem["status"] in {429, 503} else "server_error")
    return {**problem, "error": name, "error_description": problem["detail"]}
