"""DELETE /auth/keys/{key_id}: revoke an API key of the signed-in user."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response
from shared.errors import ApiKeyNotFound, SessionEnded
from shared.users.api_keys import ApiKeys

api_keys = ApiKeys()


@endpoint(
    "Delete an API key",
    tag="Users",
    returns=[Returns(HTTPStatus.NO_CONTENT, "The key is deleted.")],
    errors=[ApiKeyNotFound("5c0f6a4e-9a51-4cf0-8d8b-6b1c0a4d7e22"), SessionEnded()],
    for_people=True,
)
def handler(request: Request) -> Response:
    """Delete an API key of yours. It is refused within five minutes."""
    api_keys.delete(request.identity, request.path_parameters["key_id"])
    return Response(HTTPStatus.NO_CONTENT)
