"""POST /auth/keys: make an API key, which a program sends in the place of a person's token."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.user_models import NewApiKey
from shared.errors import SessionEnded, TooManyApiKeys
from shared.metrics import count
from shared.users.api_keys import MAX_KEYS, ApiKeys
from shared.users.document import ApiKeyWithSecretDocument, api_key_document

api_keys = ApiKeys()


@endpoint(
    "Create an API key",
    tag="Users",
    returns=[
        Returns(
            HTTPStatus.CREATED,
            "The key, with its secret.",
            ApiKeyWithSecretDocument,
            headers=["Cache-Control"],
        )
    ],
    errors=[TooManyApiKeys(MAX_KEYS), SessionEnded()],
    for_people=True,
)
def handler(request: Request, new: NewApiKey) -> Response:
    """Make a key for a program. Keys open tasks and the list of users, and nothing of your account.

    The secret is shown this once. A key ends when it is deleted, when you change your password, and when it
    says so.
    """
    key, secret = api_keys.create(request.identity, new.name, new.scope, new.expires_at)
    count("ApiKeyCreated")
    document: ApiKeyWithSecretDocument = {**api_key_document(key), "key": secret}
    return json_response(document, HTTPStatus.CREATED, headers={"Cache-Control": "no-store"})
