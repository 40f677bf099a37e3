"""GET /tasks/{task_id}: read one task."""

from http import HTTPStatus

from shared.api.conditional import etag, unless_unchanged
from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.errors import TaskNotFound
from shared.tasks.document import TaskDocument, task_document
from shared.tasks.store import TaskStore

tasks = TaskStore()


@endpoint(
    "Read a task",
    tag="Tasks",
    headers=["If-None-Match"],
    returns=[
        Returns(HTTPStatus.OK, "The task.", TaskDocument, headers=["ETag"]),
        Returns(HTTPStatus.NOT_MODIFIED, "The task is the version that you have.", headers=["ETag"]),
    ],
    errors=[TaskNotFound("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10")],
)
def handler(request: Request) -> Response:
    """Read a task as the last write left it. With `If-None-Match`, only if you have another version."""
    task = tasks.get(request.path_parameters["task_id"])
    response = json_response(task_document(task), headers={"ETag": etag(task.version)})
    return unless_unchanged(response, request.header("If-None-Match"))
