"""The floor: a function that does nothing but make a DynamoDB client."""

import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    return {"statusCode": 204}
