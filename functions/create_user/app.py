"""POST /auth/create: make a user. Only for deployments with sign-up switched on."""

import os
from http import HTTPStatus

from shared.errors import SignUpDisabled
from shared.http import Answer, Request, http_handler, json_answer
from shared.metrics import count
from shared.schemas import NEW_USER
from shared.users import UserStore

users = UserStore()


@http_handler
def handler(request: Request) -> Answer:
    """Create a user with a name that no other user has."""
    new = request.json_body(NEW_USER)
    if os.environ["SIGN_UP"] != "enabled":
        raise SignUpDisabled
    user = users.create(new["username"], new["password"])
    count("UserCreated")
    document = {"id": user.id, "username": user.username, "created_at": user.created_at}
    return json_answer(document, status=HTTPStatus.CREATED)
