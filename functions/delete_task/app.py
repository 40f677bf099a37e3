"""DELETE /tasks/{task_id}: remove a task."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path

from shared.cached_tasks import CachedTasks
from shared.errors import TaskNotFound, VersionMismatch
from shared.http import Answer, Api, matching_versions
from shared.metrics import count
from shared.responses import SIGNED_IN, problems, success

app = Api()
tasks = CachedTasks()


@app.delete(
    "/tasks/<task_id>",
    summary="Delete a task",
    operation_id="delete_task",
    tags=["Tasks"],
    openapi_extensions=SIGNED_IN,
    responses=success(HTTPStatus.NO_CONTENT, "The task is gone")
    | problems(TaskNotFound("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"), VersionMismatch()),
)
def delete_task(
    task_id: Annotated[str, Path()],
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> Answer:
    """Remove a task and free its title; with `If-Match`, only if nobody changed the task meanwhile."""
    tasks.delete(task_id, versions=matching_versions(if_match))
    count("TaskDeleted")
    return Response(status_code=HTTPStatus.NO_CONTENT)


handler = app.handler
