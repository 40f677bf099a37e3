"""POST /webhooks/{webhook_id}/test: call a webhook, and switch it on."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response
from shared.errors import WebhookNotFound
from shared.webhooks.delivery import ping
from shared.webhooks.queue import DeliveryQueue
from shared.webhooks.store import WebhookStore

webhooks = WebhookStore()
deliveries = DeliveryQueue()


@endpoint(
    "Test a webhook",
    tag="Webhooks",
    returns=[Returns(HTTPStatus.ACCEPTED, "It will be called.")],
    errors=[WebhookNotFound("0d6c2f8a-1b7e-4a53-9c64-2e8f5b1d7a90")],
    for_people=True,
)
def handler(request: Request) -> Response:
    """Send a `webhook.ping` to a webhook, and switch it on if it was off. The list shows calls that fail."""
    webhook = webhooks.switch_on(request.path_parameters["webhook_id"])
    deliveries.send(ping(webhook.id, request.id), [webhook.id])
    return Response(HTTPStatus.ACCEPTED)
