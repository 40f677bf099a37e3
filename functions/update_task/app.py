"""PATCH /tasks/{task_id}: change some fields of a task."""

from functools import partial
from http import HTTPStatus

from shared.api.conditional import etag, matching_versions
from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.task_models import TaskChanges
from shared.errors import TaskNotFound, TitleTaken, UnknownAssignee, VersionMismatch
from shared.metrics import count
from shared.tasks.document import TaskDocument, task_document
from shared.tasks.pages import task_list_cache
from shared.tasks.store import TaskStore

tasks = TaskStore(task_list_cache().invalidate)


@endpoint(
    "Change a task",
    tag="Tasks",
    headers=["If-Match"],
    returns=[Returns(HTTPStatus.OK, "The changed task.", TaskDocument, headers=["ETag"])],
    errors=[
        TaskNotFound("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"),
        TitleTaken("Book the venue", "0b8c6d52-21c3-4f0e-8a55-6f1d2e7b9c34"),
        VersionMismatch(),
        UnknownAssignee("ada"),
    ],
)
def handler(request: Request, changes: TaskChanges) -> Response:
    """Change the fields that are given. With `If-Match`, only if it is still the version that you read."""
    versions = matching_versions(request.header("If-Match"))
    task_id = request.path_parameters["task_id"]
    author = request.author
    task = tasks.update(task_id, partial(changes.apply, author=author), author=author, versions=versions)
    count("TaskUpdated")
    return json_response(task_document(task), headers={"ETag": etag(task.version)})
