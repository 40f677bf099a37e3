"""POST /auth/password: change the password of the signed-in user."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response
from shared.api.user_models import PasswordChange
from shared.errors import SessionEnded, TooManyAttempts, WrongPassword
from shared.metrics import count
from shared.users.store import UserStore

users = UserStore()


@endpoint(
    "Change your password",
    tag="Users",
    returns=[Returns(HTTPStatus.NO_CONTENT, "The password is changed.")],
    errors=[WrongPassword(), SessionEnded(), TooManyAttempts(60)],
    for_people=True,
)
def handler(request: Request, change: PasswordChange) -> Response:
    """Change your password. All other sessions end within five minutes, and so do all API keys."""
    users.change_password(request.identity, change.current_password, change.new_password)
    count("PasswordChanged")
    return Response(HTTPStatus.NO_CONTENT)
