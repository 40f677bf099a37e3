"""DELETE /tasks/{task_id}: delete a task."""

from http import HTTPStatus

from shared.api.conditional import matching_versions
from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response
from shared.errors import TaskNotFound, VersionMismatch
from shared.metrics import count
from shared.tasks.pages import task_list_cache
from shared.tasks.store import TaskStore

tasks = TaskStore(task_list_cache().invalidate)


@endpoint(
    "Delete a task",
    tag="Tasks",
    headers=["If-Match"],
    returns=[Returns(HTTPStatus.NO_CONTENT, "The task is in the trash.")],
    errors=[TaskNotFound("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"), VersionMismatch()],
)
def handler(request: Request) -> Response:
    """Move a task to the trash, from where it can be restored, and free its title.

    With `If-Match`, only if it is still the version that you read.
    """
    versions = matching_versions(request.header("If-Match"))
    tasks.delete(request.path_parameters["task_id"], author=request.author, versions=versions)
    count("TaskDeleted")
    return Response(HTTPStatus.NO_CONTENT)
