"""POST /auth/create: make a user."""

import os
from http import HTTPStatus

from shared.errors import SignUpDisabled, UsernameTaken
from shared.http import Answer, Api, json_answer
from shared.metrics import count
from shared.responses import problems, success
from shared.schemas import NewUser, UserDocument
from shared.users import UserStore

app = Api()
users = UserStore()


@app.post(
    "/auth/create",
    summary="Sign up",
    operation_id="create_user",
    tags=["Users"],
    responses=success(HTTPStatus.CREATED, "The new user", model=UserDocument)
    | problems(UsernameTaken("ada"), SignUpDisabled(), signed_in=False),
)
def create_user(user: NewUser) -> Answer:
    """Create a user. Only for deployments with sign-up switched on."""
    if os.environ["SIGN_UP"] != "enabled":
        raise SignUpDisabled
    created = users.create(user.username, user.password)
    count("UserCreated")
    document = {"id": created.id, "username": created.username, "created_at": created.created_at}
    return json_answer(document, status=HTTPStatus.CREATED)


handler = app.handler
