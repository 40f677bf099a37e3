"""GET /tasks/{task_id}: read one task."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path

from shared.errors import TaskNotFound
from shared.http import Answer, Api, etag, is_unchanged, task_answer
from shared.responses import SIGNED_IN, problems, success
from shared.schemas import TaskDocument
from shared.task_store import TaskStore

app = Api()
tasks = TaskStore()


@app.get(
    "/tasks/<task_id>",
    summary="Read a task",
    operation_id="get_task",
    tags=["Tasks"],
    openapi_extensions=SIGNED_IN,
    responses=success(HTTPStatus.OK, "The task", "ETag", model=TaskDocument)
    | success(HTTPStatus.NOT_MODIFIED, "The task is the version that If-None-Match names", "ETag")
    | problems(TaskNotFound("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10")),
)
def get_task(
    task_id: Annotated[str, Path()],
    if_none_match: Annotated[str | None, Header(alias="If-None-Match")] = None,
) -> Answer:
    """Read a task as the last write left it."""
    task = tasks.get(task_id)
    if is_unchanged(task, if_none_match):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag(task)})
    return task_answer(task)


handler = app.handler
