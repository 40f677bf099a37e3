"""A table of the local stack's own, from which migrations read the stack's parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OWN_TABLE = "LocalStack"
_KEY = {"id": {"S": "parameters"}}


def save_parameters(call: Callable[..., object], parameters: Mapping[str, str]) -> None:
    """Make the table, and note which parameters the stack was started with.

    Args:
        call: Calls an operation of AWS, such as `DynamoDB_20120810.PutItem`.
        parameters: The template's parameters.
    """
    call(
        "DynamoDB_20120810.CreateTable",
        TableName=OWN_TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {**_KEY, "values": {"S": json.dumps(dict(parameters))}}
    call("DynamoDB_20120810.PutItem", TableName=OWN_TABLE, Item=item)


def load_parameters(dynamodb: DynamoDBClient) -> dict[str, str]:
    """Read which parameters the stack was started with."""
    answer = dynamodb.get_item(TableName=OWN_TABLE, Key=_KEY)
    parameters: dict[str, str] = json.loads(answer["Item"]["values"]["S"])
    return parameters
