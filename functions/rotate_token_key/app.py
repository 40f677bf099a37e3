"""Secrets Manager's schedule: a new key for access tokens; what the old one signed stays good."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.users.token_key_rotation import TokenKeyRotation

logger = Logger()
rotation = TokenKeyRotation()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 (Lambda passes both)
    """Do the step that Secrets Manager asks for; what it raises is tried again."""
    step, version = event["Step"], event["ClientRequestToken"]
    rotation.run(step, event["SecretId"], version)
    logger.info("rotation step done", step=step, version=version)
