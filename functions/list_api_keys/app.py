"""GET /auth/keys: list the API keys of the signed-in user."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.errors import SessionEnded
from shared.users.api_keys import ApiKeys
from shared.users.document import ApiKeyDocument, api_key_document

api_keys = ApiKeys()


@endpoint(
    "List your API keys",
    tag="Users",
    returns=[Returns(HTTPStatus.OK, "The keys, the newest first.", list[ApiKeyDocument])],
    errors=[SessionEnded()],
    for_people=True,
)
def handler(request: Request) -> Response:
    """List your API keys, without their secrets."""
    return json_response([api_key_document(key) for key in api_keys.all_of(request.identity)])
