"""POST /webhooks: make a webhook, which is called when something happens to a task."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.problems import InvalidRequest
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.webhook_models import NewWebhook
from shared.errors import TooManyWebhooks
from shared.metrics import count
from shared.webhooks.address import ForbiddenUrl
from shared.webhooks.call import CallFailed, check_target, to_loopback
from shared.webhooks.document import WebhookWithSecretDocument, webhook_document
from shared.webhooks.store import MAX_WEBHOOKS, WebhookStore

webhooks = WebhookStore()


@endpoint(
    "Create a webhook",
    tag="Webhooks",
    returns=[
        Returns(
            HTTPStatus.CREATED,
            "The webhook, with its secret.",
            WebhookWithSecretDocument,
            headers=["Cache-Control"],
        )
    ],
    errors=[TooManyWebhooks(MAX_WEBHOOKS)],
    for_people=True,
)
def handler(request: Request, new: NewWebhook) -> Response:
    """Have a URL of yours called for events of tasks, signed as Standard Webhooks has it.

    The secret is shown this once. The URL has to be https, and the whole internet able to reach its host.
    """
    try:
        check_target(new.url, to_loopback=to_loopback())
    except (ForbiddenUrl, CallFailed) as error:
        raise InvalidRequest([{"field": "url", "message": str(error)}]) from None
    webhook, secret = webhooks.create(new.url, new.events, request.claims["username"])
    count("WebhookCreated")
    document: WebhookWithSecretDocument = {**webhook_document(webhook), "secret": secret}
    return json_response(document, HTTPStatus.CREATED, headers={"Cache-Control": "no-store"})
