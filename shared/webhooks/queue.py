"""The queue of deliveries: one message for each event and webhook."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared import aws
from shared.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef


class DeliveryQueue:
    """Where deliveries wait for their turn."""

    def __init__(self, client: SQSClient | None = None, url: str | None = None) -> None:
        self._client = client or aws.client("sqs")
        self._url = url or os.environ["WEBHOOK_DELIVERIES_QUEUE"]

    def send(self, event: Mapping[str, Any], webhook_ids: Sequence[str]) -> None:
        """Send an event to webhooks.

        Raises:
            Unavailable, BotoCoreError, ClientError: not all of it is in the queue.
        """
        # The group lets SQS be fair: a webhook with many messages does not hold up the others'. See
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": id_,
                "MessageBody": aws.to_message({"webhook_id": id_, "event": event}),
                "MessageGroupId": id_,
            }
            for id_ in webhook_ids
        ]
        for batch in aws.batches(entries, lambda entry: len(entry["MessageBody"].encode())):
            if self._client.send_message_batch(QueueUrl=self._url, Entries=batch).get("Failed"):
                raise Unavailable
