"""AWS clients whose waits end before the request's time does, and DynamoDB transactions."""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from shared.deadline import remaining
from shared.errors import Contention, DomainError, Unavailable

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_Entry = TypeVar("_Entry")
Item = Mapping[str, Any]
"""An item of a table, or a key, as DynamoDB's client has it."""

_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
    parameter_validation=False,  # takes a tenth of a request; mypy and the service check the calls
    user_agent="task-api",  # botocore would build its own for each try: another tenth
)
_TRY = 4
"""Maximum seconds of one try: both timeouts, and a margin for the rest, such as TLS."""
_RETRY = 5.5
"""Seconds that botocore's second try takes: its wait of up to a second, and the try with some to spare."""

_ATTEMPTS = 8
"""Maximum tries of a transaction within the deadline."""
_FIRST_BACKOFF = 0.02
"""Seconds that are waited at most before the second attempt; before each further one, twice as long."""

_PASSING = {
    # from a canceled transaction
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    # of a call
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
}
"""Errors that are worth a retry. See
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html"""


# See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html and
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
_MAX_MESSAGES = 10
_MAX_BYTES = 262_144
_OVERHEAD = 64
"""Overhead of an entry in bytes, such as the event's type."""
_REFUSED = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}
"""Characters that SQS does not take as they are. See
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""

# The system's, because a snapshot would give all environments that start from it the same sequence.
_jitter = random.SystemRandom()

if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    # botocore's retries use `random`, which a snapshot would make predictable. Part of Lambda's runtime:
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


def client(service: Literal["dynamodb", "events", "secretsmanager", "sqs"]) -> Any:
    """Create a client. It takes tens of milliseconds, so create one per execution environment.

    Its calls raise `Unavailable` instead of beginning what could end after the request's deadline.
    """
    created = boto3.client(service, config=_CONFIG)
    created.meta.events.register_first("before-send", _begin_in_time)
    # Registered for the same event as botocore's own handler, to run before it.
    name = created.meta.service_model.service_id.hyphenize()
    created.meta.events.register_first(f"needs-retry.{name}", _retry_in_time)  # type: ignore[arg-type]
    return created


def transact_write(client: DynamoDBClient, *writes: TransactWriteItemTypeDef) -> None:
    """Apply all writes or none.

    A call whose response was lost is repeated with the same token, by which DynamoDB tells that it was done
    already. See https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html

    Raises:
        ConditionFailed: a condition of one of the writes did not hold.
        Contention: other transactions on the same items won every time.
        Unavailable: DynamoDB was too busy, or could not be reached.
        BotoCoreError, ClientError: it is not known whether they were applied, or the call was wrong. After
            the errors above, nothing was written.
    """
    token, lost = str(uuid.uuid4()), None
    failure: DomainError = Unavailable()
    for attempt in range(_ATTEMPTS):
        if attempt:
            backoff = _jitter.uniform(0, _FIRST_BACKOFF * 2**attempt)
            if remaining() < backoff + _TRY:
                break
            time.sleep(backoff)
        try:
            client.transact_write_items(TransactItems=writes, ClientRequestToken=token)
        except client.exceptions.TransactionCanceledException as error:
            reasons = _cancellation_reasons(error.response)
            failed = {
                position: reason.get("Item", {})
                for position, reason in enumerate(reasons)
                if reason["Code"] == "ConditionalCheckFailed"
            }
            if failed:
                raise ConditionFailed(failed) from error
            codes = {reason["Code"] for reason in reasons}
            if not codes & _PASSING:
                raise
            failure = Contention() if "TransactionConflict" in codes else Unavailable()
            if lost is None:  # otherwise, the lost try may be the one in conflict
                token = str(uuid.uuid4())
        except (BotoCoreError, ClientError) as error:
            if _may_have_happened(error):
                lost = error
            elif not isinstance(error, BotoCoreError) and error.response["Error"]["Code"] not in _PASSING:
                raise
            failure = Unavailable()
        except Unavailable as error:  # there is no time for another try
            failure = error
            break
        else:
            return
    raise failure if lost is None else lost


def to_message(document: object) -> str:
    """Write JSON that SQS takes, also by way of EventBridge."""
    return json.dumps(document, ensure_ascii=False).translate(_REFUSED)


def batches(entries: Sequence[_Entry], size: Callable[[_Entry], int]) -> Iterator[Sequence[_Entry]]:
    """Group entries, in order, so that each group fits one call of SQS or EventBridge.

    Args:
        entries: What is to be sent.
        size: Tells how many bytes an entry has.
    """
    start = total = 0
    for position, entry in enumerate(entries):
        own = size(entry) + _OVERHEAD
        if position > start and (position - start == _MAX_MESSAGES or total + own > _MAX_BYTES):
            yield entries[start:position]
            start, total = position, 0
        total += own
    if entries:
        yield entries[start:]


def need_time_for(calls: int) -> None:
    """Refuse to begin several calls that the remaining time does not suffice for.

    Raises:
        Unavailable: there is not.
    """
    if remaining() < calls * _TRY:
        raise Unavailable


def _begin_in_time(**_event: object) -> None:
    if remaining() < _TRY:
        raise Unavailable


def _retry_in_time(operation: OperationModel, **_event: object) -> Literal[False] | None:
    """Keep botocore from retrying; it then raises the error of the last try."""
    is_transaction = operation.name == "TransactWriteItems"  # `transact_write` retries it
    return False if is_transaction or remaining() < _RETRY else None


def _may_have_happened(error: BotoCoreError | ClientError) -> bool:
    """Whether a failed transaction may have been applied."""
    if isinstance(error, ClientError):
        is_in_progress = error.response["Error"]["Code"] == "TransactionInProgressException"
        return is_in_progress or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    return not isinstance(error, ConnectTimeoutError | EndpointConnectionError)


def _cancellation_reasons(response: Any) -> list[dict[str, Any]]:
    reasons: list[dict[str, Any]] = response["CancellationReasons"]
    return reasons
