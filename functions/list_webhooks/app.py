"""GET /webhooks: list all webhooks."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.webhooks.document import WebhookDocument, webhook_document
from shared.webhooks.store import WebhookStore

webhooks = WebhookStore()


@endpoint(
    "List webhooks",
    tag="Webhooks",
    returns=[Returns(HTTPStatus.OK, "The webhooks, the newest first.", list[WebhookDocument])],
    for_people=True,
)
def handler(_request: Request) -> Response:
    """List the webhooks of all users, without their secrets, and how they fail, if they do."""
    return json_response([webhook_document(webhook) for webhook in webhooks.all()])
