"""DELETE /webhooks/{webhook_id}: delete a webhook."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response
from shared.errors import WebhookNotFound
from shared.webhooks.store import WebhookStore

webhooks = WebhookStore()


@endpoint(
    "Delete a webhook",
    tag="Webhooks",
    returns=[Returns(HTTPStatus.NO_CONTENT, "The webhook is gone.")],
    errors=[WebhookNotFound("0d6c2f8a-1b7e-4a53-9c64-2e8f5b1d7a90")],
    for_people=True,
)
def handler(request: Request) -> Response:
    """Delete a webhook. Its pending deliveries are dropped."""
    webhooks.delete(request.path_parameters["webhook_id"])
    return Response(HTTPStatus.NO_CONTENT)
