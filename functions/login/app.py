"""POST /auth/login: exchange a password, or a refresh token, for tokens (RFC 6749, sections 4.3 and 6)."""

import os
from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.oauth import with_oauth_error
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.user_models import LoginForm
from shared.errors import (
    BadCredentials,
    InvalidRefreshToken,
    RefreshTokenReused,
    TooManyAttempts,
    UnsupportedGrant,
)
from shared.metrics import count
from shared.users.document import TokenDocument
from shared.users.refresh_tokens import RefreshToken
from shared.users.sessions import Session, Sessions
from shared.users.store import UserStore
from shared.users.tokens import TokenSigner
from shared.users.user import User

UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""RFC 6749, section 5.1."""

users = UserStore()
sessions = Sessions()
tokens = TokenSigner()


@endpoint(
    "Sign in",
    tag="Users",
    returns=[Returns(HTTPStatus.OK, "Tokens.", TokenDocument, headers=list(UNCACHED))],
    errors=[BadCredentials(), InvalidRefreshToken(), UnsupportedGrant(), TooManyAttempts(60)],
    extend_problem=with_oauth_error,
)
def handler(_request: Request, form: LoginForm) -> Response:
    """Exchange a username and a password for a token to send as `Authorization: Bearer <token>`.

    Before it expires, exchange the refresh token for the next one, with `grant_type=refresh_token`: each can
    be used once.
    """
    user, session, refresh_token = _refresh(form) if form.is_refresh else _sign_in(form)
    lifetime = int(os.environ["TOKEN_LIFETIME"])
    document: TokenDocument = {
        "access_token": tokens.issue(user, session.id, lifetime=lifetime),
        "token_type": "bearer",
        "expires_in": lifetime,
        "refresh_token": str(refresh_token),
        "device_token": tokens.issue_device(user, session.id),
    }
    return json_response(document, headers=UNCACHED)


def _sign_in(form: LoginForm) -> tuple[User, Session, RefreshToken]:
    device = tokens.verify_device(form.device_token) if form.device_token else None
    try:
        signed_in = users.sign_in(form.username, form.password, device)
    except BadCredentials:
        count("SignInRefused")
        raise
    count("SignedIn")
    return signed_in


def _refresh(form: LoginForm) -> tuple[User, Session, RefreshToken]:
    try:
        return sessions.refresh(RefreshToken.parse(form.refresh_token), tokens.keys)
    except RefreshTokenReused:
        count("RefreshTokenReused")
        raise
