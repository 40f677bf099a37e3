"""The process that workers are forked from; it has imported the libraries that functions use.

A worker is ready in a fraction of the time, and shares their memory. The project's own code it imports
itself, afresh.
"""

import gc
import importlib

import boto3

for name in (
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes.sqs_event",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.typing",
    "hiredis",
    "jwt",
    "passlib.context",
    "passlib.handlers.argon2",
    "pydantic.fields",
    "pydantic.functional_serializers",
    "pydantic.json_schema",
    "pydantic.main",
    "pydantic.plugin._schema_validator",
    "pydantic.types",
    "standardwebhooks",
    "tools.local.runtime.worker",
):
    importlib.import_module(name)
# Creating a client loads the service's description, which boto3's session caches; it caches no settings.
for service in ("dynamodb", "secretsmanager", "sqs"):
    boto3.client(service, region_name="us-east-1")
# Otherwise, a garbage collection in a worker would write to, and so copy, all shared memory.
gc.collect()
gc.freeze()
