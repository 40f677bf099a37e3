"""POST /auth/delete: delete the account of the signed-in user."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response
from shared.api.user_models import AccountDeletion
from shared.errors import SessionEnded, TooManyAttempts, WrongPassword
from shared.metrics import count
from shared.users.store import UserStore

users = UserStore()


@endpoint(
    "Delete your account",
    tag="Users",
    returns=[Returns(HTTPStatus.NO_CONTENT, "The account is deleted.")],
    errors=[WrongPassword(), SessionEnded(), TooManyAttempts(60)],
    for_people=True,
)
def handler(request: Request, deletion: AccountDeletion) -> Response:
    """Delete your account, with its sessions and API keys. Your tasks stay, and nobody can take your name.

    Tokens and keys are refused within five minutes.
    """
    users.delete(request.identity, deletion.current_password)
    count("UserDeleted")
    return Response(HTTPStatus.NO_CONTENT)
