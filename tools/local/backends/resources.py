"""The template's tables, queues, buses and secrets, made through AWS's API: here, and in the tests' moto."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from random import SystemRandom
from typing import TYPE_CHECKING, Any

import boto3

from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.errors import LocalStackError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_QUEUE_ATTRIBUTES: tuple[QueueAttributeNameType, ...] = (
    "DelaySeconds",
    "MessageRetentionPeriod",
    "VisibilityTimeout",
)

BUCKET = {
    "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
}
"""A bucket, as a table: an object is an item with a `key` and a `body`."""

_random = SystemRandom()


class Resources:
    """The tables, secrets, queues and event buses of a template; each has its logical id as its name.

    A bucket is a table here, for what is given up, which is then kept as everything else is.
    """

    def __init__(self, resources: Mapping[str, Any]) -> None:
        """Take them from all the template's resources by logical id."""
        self._tables = _of_type(resources, "AWS::DynamoDB::Table")
        self._secrets = _of_type(resources, "AWS::SecretsManager::Secret")
        self._queues = _of_type(resources, "AWS::SQS::Queue")
        self._buses = _of_type(resources, "AWS::Events::EventBus")
        self._rules = _of_type(resources, "AWS::Events::Rule")
        self._tables |= dict.fromkeys(_of_type(resources, "AWS::S3::Bucket"), BUCKET)

    def keys(self) -> dict[str, list[str]]:
        """List the key attributes of each table."""
        return {
            name: [each["AttributeName"] for each in properties["KeySchema"]]
            for name, properties in self._tables.items()
        }

    def expiries(self) -> dict[str, str]:
        """Find the TTL attribute of each table that has one."""
        return {
            name: properties["TimeToLiveSpecification"]["AttributeName"]
            for name, properties in self._tables.items()
            if "TimeToLiveSpecification" in properties
        }

    def create(self, url: str | None = None, secrets: Mapping[str, str] | None = None) -> None:
        """Make them all, empty.

        Args:
            url: Where AWS is.
            secrets: Values of secrets by name; the others are generated.
        """
        dynamodb = boto3.client("dynamodb", endpoint_url=url)
        for name, properties in self._tables.items():
            _create_table(dynamodb, name, properties)
        secrets_manager = boto3.client("secretsmanager", endpoint_url=url)
        for name, properties in self._secrets.items():
            value = (secrets or {}).get(name) or _generate(properties.get("GenerateSecretString", {}))
            secrets_manager.create_secret(Name=name, SecretString=value)
        sqs = boto3.client("sqs", endpoint_url=url)
        # Dead-letter queues first: the others refer to them.
        for name, properties in sorted(self._queues.items(), key=lambda queue: "RedrivePolicy" in queue[1]):
            _create_queue(sqs, name, properties)
        events = boto3.client("events", endpoint_url=url)
        for name in self._buses:
            events.create_event_bus(Name=name)
        for name, properties in self._rules.items():
            _create_rule(events, name, properties)


def _create_table(dynamodb: DynamoDBClient, name: str, properties: Mapping[str, Any]) -> None:
    optional = {
        key: properties[key]
        for key in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        if key in properties
    }
    if stream := properties.get("StreamSpecification"):
        optional["StreamSpecification"] = {"StreamEnabled": True, **stream}
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=properties["AttributeDefinitions"],
        KeySchema=properties["KeySchema"],
        BillingMode="PAY_PER_REQUEST",
        **optional,
    )
    if ttl := properties.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"AttributeName": ttl["AttributeName"], "Enabled": ttl["Enabled"]},
        )


def _create_queue(sqs: SQSClient, name: str, properties: Mapping[str, Any]) -> None:
    attributes: dict[QueueAttributeNameType, str] = {
        key: str(properties[key]) for key in _QUEUE_ATTRIBUTES if key in properties
    }
    if redrive := properties.get("RedrivePolicy"):
        target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{logical_id(redrive['deadLetterTargetArn'])}"
        attributes["RedrivePolicy"] = json.dumps({**redrive, "deadLetterTargetArn": target})
    sqs.create_queue(QueueName=name, Attributes=attributes)


def _create_rule(events: EventBridgeClient, name: str, properties: Mapping[str, Any]) -> None:
    bus = logical_id(properties["EventBusName"])
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(properties["EventPattern"]))
    targets: Any = [
        {
            **{key: value for key, value in target.items() if key != "DeadLetterConfig"},
            "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{logical_id(target['Arn'])}",
        }
        for target in properties["Targets"]
    ]
    events.put_targets(Rule=name, EventBusName=bus, Targets=targets)


def _of_type(resources: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource.get("Properties", {})
        for name, resource in resources.items()
        if resource["Type"] == kind
    }


def logical_id(reference: Any) -> str:
    """Find the referenced resource in SAM CLI's form of `!Ref` and `!GetAtt`."""
    if isinstance(reference, dict) and "Fn::GetAtt" in reference:
        return str(reference["Fn::GetAtt"][0])
    if isinstance(reference, str):
        return reference.rpartition(":")[2]
    raise LocalStackError(f"The template's reference {reference!r} is not one that the local stack knows.")


def _generate(rules: Mapping[str, Any]) -> str:
    """Make a secret of the length that the template asks for, of letters and digits."""
    return "".join(
        _random.choice(string.ascii_letters + string.digits) for _ in range(rules.get("PasswordLength", 32))
    )
