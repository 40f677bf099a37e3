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
)
def handler(request: Request, change: PasswordChange) -> Response:
    """Change your password. Tokens from before are refused, within five minutes at the latest."""
    username = request.claims["username"]
    users.change_password(username, request.session, change.current_password, change.new_password)
    count("PasswordChanged")
    return Response(HTTPStatus.NO_CONTENT)
