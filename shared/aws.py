"""AWS clients with timeouts, and DynamoDB transactions that are retried on conflict."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from shared.errors import Contention

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# Every wait is bounded: two tries of at most (1 + 2) s fit in the functions' timeout of 10 s.
CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)

_CONFLICT_ATTEMPTS = 8
_CONFLICT_BACKOFF = 0.02
"""Seconds before the second attempt; doubles with every further one, with full jitter."""


# The system's, because a snapshot would give all environments that start from it the same sequence.
_jitter = random.SystemRandom()

if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    # botocore draws its own waits from `random`. The module is a part of Lambda's runtime. See
    # https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
    from snapshot_restore_py import register_after_restore

    register_after_restore(random.seed)


class ConditionFailed(Exception):
    """A transaction was refused because conditions did not hold; nothing was written."""

    def __init__(self, failed: Mapping[int, Mapping[str, Any]]) -> None:
        super().__init__(f"conditions {sorted(failed)} failed")
        self.failed = failed
        """The positions, in the transaction, of the writes whose condition did not hold, each with the item
        that is there if the write asked for it (`ReturnValuesOnConditionCheckFailure`)."""


def dynamodb_client() -> DynamoDBClient:
    """Create a DynamoDB client; once per execution environment, because it costs tens of milliseconds."""
    return boto3.client("dynamodb", config=CLIENT_CONFIG)


def transact_write(client: DynamoDBClient, *writes: TransactWriteItemTypeDef) -> None:
    """Apply all writes or none.

    botocore sends a client request token of its own making with each call, so a retry after a lost
    response is recognized by DynamoDB and does not fail on the condition that its first try made false.

    Raises:
        ConditionFailed: a condition of one of the writes did not hold.
        Contention: other transactions on the same items won every time.

    See https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    for attempt in range(_CONFLICT_ATTEMPTS):
        try:
            client.transact_write_items(TransactItems=writes)
        except client.exceptions.TransactionCanceledException as error:
            reasons = _cancellation_reasons(error.response)
            failed = {
                position: reason.get("Item", {})
                for position, reason in enumerate(reasons)
                if reason["Code"] == "ConditionalCheckFailed"
            }
            if failed:
                raise ConditionFailed(failed) from error
            if not any(reason["Code"] == "TransactionConflict" for reason in reasons):
                raise
            time.sleep(_jitter.uniform(0, _CONFLICT_BACKOFF * 2**attempt))
        else:
            return
    raise Contention


def _cancellation_reasons(response: Any) -> list[dict[str, Any]]:
    reasons: list[dict[str, Any]] = response["CancellationReasons"]
    return reasons
