"""POST /auth/login: exchange a username and a password for an access token (RFC 6749, section 4.3)."""

import os
from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.oauth import with_oauth_error
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.user_models import LoginForm
from shared.errors import BadCredentials, TooManyAttempts, UnsupportedGrant
from shared.metrics import count
from shared.users.document import TokenDocument, token_document
from shared.users.store import UserStore
from shared.users.tokens import TokenSigner

UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""RFC 6749, section 5.1."""

users = UserStore()
tokens = TokenSigner()


@endpoint(
    "Sign in",
    tag="Users",
    returns=[Returns(HTTPStatus.OK, "An access token.", TokenDocument, headers=list(UNCACHED))],
    errors=[BadCredentials(), UnsupportedGrant(), TooManyAttempts(60)],
    extend_problem=with_oauth_error,
)
def handler(request: Request, form: LoginForm) -> Response:
    """Exchange a username and a password for a token to send as `Authorization: Bearer <token>`."""
    try:
        user = users.sign_in(form.username, form.password, address=request.address)
    except BadCredentials:
        count("SignInRefused")
        raise
    count("SignedIn")
    lifetime = int(os.environ["TOKEN_LIFETIME"])
    token = tokens.issue(user, lifetime=lifetime)
    return json_response(token_document(token, expires_in=lifetime), headers=UNCACHED)
