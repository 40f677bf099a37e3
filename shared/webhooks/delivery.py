"""Delivering events to webhooks: signed, and again after growing pauses.

A webhook that fails is called by one delivery at a time, after each pause; all others of it wait, uncalled,
so that one slow or dead receiver holds up nobody else.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Self

from standardwebhooks.webhooks import Webhook as Signer

from shared.logs import logger
from shared.metrics import count
from shared.webhooks.address import ForbiddenUrl
from shared.webhooks.call import Answer, CallFailed, call, to_loopback
from shared.webhooks.store import WebhookStore
from shared.webhooks.webhook import Failure, Webhook

PAUSES = (5, 60, 5 * 60, 30 * 60, 2 * 3600, 6 * 3600, 11 * 3600 + 45 * 60)
"""Seconds between the calls of a webhook that fails. The last is nearly as long as SQS can hide a message."""
_LONGEST_WAIT = 15 * 60
"""Seconds for which a message is hidden at most while its webhook pauses: it follows soon after a success."""
_OWN_PAUSES = PAUSES[:4]
"""Seconds between the calls with an event that fails while others succeed. They grow with how often SQS has
handed its message out, which counts also when it only waited; so they grow to half an hour and no further."""
_TOO_OLD = 3 * 24 * 3600
"""Seconds after which an event that fails is given up; the queue itself keeps it for a day more."""
_PROBE = 20
"""Seconds for which one delivery alone may call a webhook that has failed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook."""

    webhook_id: str
    event: Mapping[str, Any]
    request_id: str | None
    """The request that made the event."""
    receives: int
    """How often the queue has handed it out, called or not."""
    sent_at: float
    """When it came into the queue, as a Unix time in seconds."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read a message of the queue of deliveries.

        Raises:
            AttributeError, KeyError, TypeError, ValueError, RecursionError: it is something else.
        """
        body, attributes = json.loads(record["body"]), record["attributes"]
        event = body["event"]
        return cls(
            body["webhook_id"],
            event,
            event["data"].get("request_id"),
            int(attributes["ApproximateReceiveCount"]),
            int(attributes["SentTimestamp"]) / 1000,
        )


class Deliverer:
    """Calls webhooks."""

    def __init__(self, store: WebhookStore | None = None) -> None:
        self._store = store or WebhookStore()
        self._to_loopback = to_loopback()

    def deliver(self, delivery: Delivery) -> int | None:
        """Try to deliver.

        Returns:
            Seconds after which to try again; None when it is delivered, or given up.
        """
        found = self._store.find(delivery.webhook_id)
        if found is None or not found[0].enabled:
            return None
        webhook, secrets = found
        if webhook.failures:
            now = int(time.time())
            if 0 < webhook.paused_until - now <= PAUSES[-1]:  # unless the clock was set back
                return min(webhook.paused_until - now, _LONGEST_WAIT)
            if not self._store.note(webhook, paused_until=now + _PROBE):
                return _PROBE  # another invocation calls it
            webhook = replace(webhook, paused_until=now + _PROBE)
        try:
            answer = self._call(webhook, secrets, delivery.event)
        except (CallFailed, ForbiddenUrl) as error:
            return self._fail(webhook, delivery, str(error))
        if 200 <= answer.status < 300:
            self._succeed(webhook, delivery)
            return None
        reason = f"The webhook answered with the status {answer.status}."
        is_gone = answer.status == HTTPStatus.GONE
        return self._fail(webhook, delivery, reason, answer.text, is_gone=is_gone)

    def _call(self, webhook: Webhook, secrets: Sequence[str], event: Mapping[str, Any]) -> Answer:
        """Call a webhook as Standard Webhooks has it.

        See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        """
        now, body = datetime.now(UTC), json.dumps(event, ensure_ascii=False)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "task-api",
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Signer(secret).sign(event["id"], now, body) for secret in secrets),
        }
        return call(webhook.url, headers, body.encode(), to_loopback=self._to_loopback)

    def _succeed(self, webhook: Webhook, delivery: Delivery) -> None:
        logger.info("webhook called", webhook_id=webhook.id, event_id=delivery.event["id"])
        count("WebhookDelivered")
        if webhook.failures:
            self._store.note(webhook, failures=0, paused_until=0)

    def _fail(
        self, webhook: Webhook, delivery: Delivery, reason: str, text: str = "", *, is_gone: bool = False
    ) -> int | None:
        """Record a failure. The receiver's response may repeat the URL, so it is not logged."""
        now, failures = int(time.time()), webhook.failures + 1
        is_over = is_gone or failures > len(PAUSES)
        pause = PAUSES[0] if is_over else PAUSES[failures - 1]
        is_noted = self._store.note(
            webhook,
            enabled=not is_over,
            failures=failures,
            paused_until=now + pause,
            last_failure=Failure(at=now, reason=f"{reason} {text}".rstrip()),
        )
        facts = {"webhook_id": webhook.id, "event_id": delivery.event["id"], "reason": reason}
        logger.warning("webhook failed", **facts, failures=failures, enabled=not (is_over and is_noted))
        count("WebhookFailed")
        if is_over and is_noted:
            count("WebhookSwitchedOff")
            return None
        if now - delivery.sent_at >= _TOO_OLD:
            logger.error("event given up", **facts)
            count("WebhookEventGivenUp")
            return None
        # If other events succeed meanwhile, the webhook's pause stays short, but this event's grows.
        return max(pause, _OWN_PAUSES[min(delivery.receives, len(_OWN_PAUSES)) - 1])


def ping(webhook_id: str, request_id: str) -> dict[str, Any]:
    """Make the event of a test call."""
    return {
        "specversion": "1.0",
        "id": request_id,
        "source": f"/{os.environ['POWERTOOLS_SERVICE_NAME']}/webhooks",
        "type": "webhook.ping",
        "subject": webhook_id,
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {"request_id": request_id},
    }
