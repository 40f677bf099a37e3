"""Once a minute: an event for each task that has become due."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.deadline import deadline_of
from shared.event_sources import SCHEDULE
from shared.logs import event_handler
from shared.tasks.reminders import Reminders

reminders = Reminders()


@event_handler(SCHEDULE)
def handler(_event: dict[str, Any], context: LambdaContext) -> None:
    """Publish tasks that became due since the last run; a failed run is made up for by the next."""
    with deadline_of(context):
        reminders.send()
