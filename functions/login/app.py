"""POST /auth/login: exchange a username and a password for an access token (RFC 6749, section 4.3)."""

import os

from shared.errors import BadCredentials
from shared.http import Answer, Request, http_handler, json_answer
from shared.metrics import count
from shared.schemas import LOGIN_FORM
from shared.tokens import TokenSigner
from shared.users import UserStore

users = UserStore()
tokens = TokenSigner()


@http_handler
def handler(request: Request) -> Answer:
    """Answer with a token to send as `Authorization: Bearer <token>`."""
    form = request.form(LOGIN_FORM)
    try:
        user = users.sign_in(form["username"], form["password"])
    except BadCredentials:
        count("SignInRefused")
        raise
    count("SignedIn")
    lifetime = int(os.environ["TOKEN_LIFETIME"])
    token = tokens.issue(user, lifetime=lifetime)
    return json_answer(
        {"access_token": token, "token_type": "bearer", "expires_in": lifetime},
        headers={"Cache-Control": "no-store"},
    )
