"""A table of the local stack's own: how far functions have read streams, and the stack's parameters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OWN_TABLE = "LocalStack"
OWN_KEY = "id"
_PARAMETERS = "parameters"


class Checkpoint:
    """How far one function has read one table's stream, as consumers of Kinesis keep it.

    See https://docs.aws.amazon.com/streams/latest/dev/kcl-concepts.html
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str, function: str) -> None:
        self._dynamodb = dynamodb
        self._id = checkpoint_id(table, function)

    def load(self) -> str | None:
        """Read the sequence number of the last record that the function is done with, if there is one."""
        answer = self._dynamodb.get_item(TableName=OWN_TABLE, Key={OWN_KEY: {"S": self._id}})
        return answer["Item"]["sequence_number"]["S"] if "Item" in answer else None

    def save(self, sequence_number: str) -> None:
        """Note that the function is done with a record and all before it."""
        item = {OWN_KEY: {"S": self._id}, "sequence_number": {"S": sequence_number}}
        self._dynamodb.put_item(TableName=OWN_TABLE, Item=item)


def create_own_table(dynamodb: DynamoDBClient) -> None:
    """Make the table."""
    dynamodb.create_table(
        TableName=OWN_TABLE,
        AttributeDefinitions=[{"AttributeName": OWN_KEY, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": OWN_KEY, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def save_parameters(dynamodb: DynamoDBClient, parameters: Mapping[str, str]) -> None:
    """Note which parameters the stack was started with."""
    item = {OWN_KEY: {"S": _PARAMETERS}, "values": {"S": json.dumps(dict(parameters))}}
    dynamodb.put_item(TableName=OWN_TABLE, Item=item)


def load_parameters(dynamodb: DynamoDBClient) -> dict[str, str]:
    """Read which parameters the stack was started with."""
    answer = dynamodb.get_item(TableName=OWN_TABLE, Key={OWN_KEY: {"S": _PARAMETERS}})
    parameters: dict[str, str] = json.loads(answer["Item"]["values"]["S"])
    return parameters


def checkpoints(items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Read the sequence numbers of all checkpoints by their ids, from the table's items."""
    return {item[OWN_KEY]["S"]: item["sequence_number"]["S"] for item in items if "sequence_number" in item}


def checkpoint_id(table: str, function: str) -> str:
    """Name a checkpoint."""
    return f"{table}/{function}"
