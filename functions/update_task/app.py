"""PATCH /tasks/{task_id}: change some fields of a task."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header, Path

from shared.cached_tasks import CachedTasks
from shared.errors import TaskNotFound, TitleTaken, VersionMismatch
from shared.http import Answer, Api, matching_versions, task_answer
from shared.metrics import count
from shared.responses import SIGNED_IN, problems, success
from shared.schemas import TaskChanges, TaskDocument

app = Api()
tasks = CachedTasks()


@app.patch(
    "/tasks/<task_id>",
    summary="Change a task",
    operation_id="update_task",
    tags=["Tasks"],
    openapi_extensions=SIGNED_IN,
    responses=success(HTTPStatus.OK, "The changed task", "ETag", model=TaskDocument)
    | problems(
        TaskNotFound("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"), TitleTaken("Book the venue"), VersionMismatch()
    ),
)
def update_task(
    task_id: Annotated[str, Path()],
    changes: TaskChanges,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> Answer:
    """Change the fields that are given; with `If-Match`, only if nobody else changed the task meanwhile."""
    given = changes.model_dump(exclude_unset=True)
    task = tasks.update(task_id, given, versions=matching_versions(if_match))
    count("TaskUpdated")
    return task_answer(task)


handler = app.handler
