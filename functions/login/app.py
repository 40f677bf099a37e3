"""POST /auth/login: exchange a username and a password for an access token (RFC 6749, section 4.3)."""

import os
from http import HTTPStatus
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Form

from shared.errors import BadCredentials
from shared.http import FORM, Answer, Api, json_answer
from shared.metrics import count
from shared.responses import problems, success
from shared.schemas import TokenDocument
from shared.tokens import TokenSigner
from shared.users import UserStore

app = Api(accepts=FORM)
users = UserStore()
tokens = TokenSigner()


@app.post(
    "/auth/login",
    summary="Sign in",
    operation_id="login",
    tags=["Users"],
    responses=success(HTTPStatus.OK, "An access token", model=TokenDocument)
    | problems(BadCredentials(), signed_in=False),
)
def login(
    username: Annotated[str, Form(min_length=1, max_length=128)],
    password: Annotated[str, Form(min_length=1, max_length=1024)],
    grant_type: Annotated[Literal["password"], Form()] = "password",  # noqa: ARG001 (checked by its type)
) -> Answer:
    """Answer with a token to send as `Authorization: Bearer <token>`."""
    try:
        user = users.sign_in(username, password)
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


handler = app.handler
