"""GET /auth/me: who is signed in."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.errors import SessionEnded
from shared.users.document import UserDocument, user_document
from shared.users.sessions import Sessions
from shared.users.user import user_from_item

sessions = Sessions()


@endpoint(
    "Read your account",
    tag="Users",
    returns=[Returns(HTTPStatus.OK, "The signed-in user.", UserDocument)],
    errors=[SessionEnded()],
    for_people=True,
)
def handler(request: Request) -> Response:
    """Read the account of the signed-in user."""
    return json_response(user_document(user_from_item(sessions.check(request.identity))))
