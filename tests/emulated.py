"""The local stack's DynamoDB and SQS, in this process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tools.local.backends import emulator
from tools.local.backends.aws import Aws
from tools.local.backends.changes import Schema
from tools.local.backends.state import StateFile


def start_aws(
    consumers: Mapping[str, Sequence[str]],
    queues: Mapping[str, Mapping[str, str]],
    state: StateFile | None = None,
) -> Aws:
    """Start empty, or from a state file.

    Args:
        consumers: For each table, the functions that read its stream.
        queues: For each queue, its attributes.
        state: The state to restore, if any.
    """
    forget_aws()
    schema = schema_of(consumers)
    aws = Aws(schema, state)
    for table in schema.keys:
        aws.call(
            "DynamoDB_20120810.CreateTable",
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )
    for queue, attributes in queues.items():
        aws.call("AmazonSQS.CreateQueue", QueueName=queue, Attributes=attributes)
    aws.restore()
    return aws


def schema_of(consumers: Mapping[str, Collection[str]]) -> Schema:
    return Schema(
        keys={table: ["pk"] for table in consumers},
        consumers={table: list(functions) for table, functions in consumers.items() if functions},
        expiries=dict.fromkeys(consumers, "expires_at"),
    )


def forget_aws() -> None:
    """Empty the emulator, which is global to the process."""
    for module in (emulator.dynamodb, emulator.sqs, emulator.secretsmanager):
        module.reset()
