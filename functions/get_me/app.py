"""GET /auth/me: who is signed in."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.errors import SessionEnded
from shared.users.document import UserDocument, user_document
from shared.users.store import UserStore

users = UserStore()


@endpoint(
    "Read your account",
    tag="Users",
    returns=[Returns(HTTPStatus.OK, "The signed-in user.", UserDocument)],
    errors=[SessionEnded()],
)
def handler(request: Request) -> Response:
    """Read the account of the signed-in user."""
    return json_response(user_document(users.get(request.claims["username"], request.session)))
