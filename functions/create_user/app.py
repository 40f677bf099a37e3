"""POST /auth/create: create a user, where sign-up is switched on."""

import os
from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.user_models import NewUser
from shared.errors import SignUpDisabled, UsernameTaken
from shared.metrics import count
from shared.users.document import UserDocument, user_document
from shared.users.store import UserStore

users = UserStore()


@endpoint(
    "Sign up",
    tag="Users",
    returns=[Returns(HTTPStatus.CREATED, "The new user.", UserDocument)],
    errors=[UsernameTaken("ada"), SignUpDisabled()],
)
def handler(_request: Request, new: NewUser) -> Response:
    """Create a user with a name that no other user has."""
    if os.environ["SIGN_UP"] != "enabled":
        raise SignUpDisabled
    user = users.create(new.username, new.password)
    count("UserCreated")
    return json_response(user_document(user), HTTPStatus.CREATED)
