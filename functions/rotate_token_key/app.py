"""Secrets Manager's schedule: rotate the key that signs access tokens. Tokens of the old key stay valid."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.deadline import deadline_of
from shared.event_sources import ROTATION
from shared.logs import event_handler, logger
from shared.users.token_key_rotation import TokenKeyRotation

rotation = TokenKeyRotation()


@event_handler(ROTATION)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Run the step that Secrets Manager asks for. Secrets Manager retries a step that fails."""
    step, version = event["Step"], event["ClientRequestToken"]
    with deadline_of(context):
        rotation.run(step, event["SecretId"], version)
    logger.info("rotation step done", step=step, version=version)
