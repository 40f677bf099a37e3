"""POST /webhooks/{webhook_id}/secret: give a webhook another secret."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.errors import WebhookNotFound
from shared.webhooks.document import WebhookWithSecretDocument, webhook_document
from shared.webhooks.store import WebhookStore

webhooks = WebhookStore()


@endpoint(
    "Replace the secret of a webhook",
    tag="Webhooks",
    returns=[
        Returns(
            HTTPStatus.OK,
            "The webhook, with its new secret.",
            WebhookWithSecretDocument,
            headers=["Cache-Control"],
        )
    ],
    errors=[WebhookNotFound("0d6c2f8a-1b7e-4a53-9c64-2e8f5b1d7a90")],
    for_people=True,
)
def handler(request: Request) -> Response:
    """Make a new secret, which is shown this once. For a day calls are signed with the old one, too."""
    webhook, secret = webhooks.rotate_secret(request.path_parameters["webhook_id"])
    document: WebhookWithSecretDocument = {**webhook_document(webhook), "secret": secret}
    return json_response(document, headers={"Cache-Control": "no-store"})
