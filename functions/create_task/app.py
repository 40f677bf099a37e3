"""POST /tasks: create a task."""

from http import HTTPStatus

from shared.api.conditional import etag
from shared.api.endpoint import Returns, endpoint
from shared.api.idempotency import idempotency_key
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.task_models import NewTask
from shared.errors import IdempotencyKeyReused, TitleTaken, UnknownAssignee
from shared.metrics import count
from shared.tasks.document import TaskDocument, task_document
from shared.tasks.pages import task_list_cache
from shared.tasks.store import TaskStore

tasks = TaskStore(task_list_cache().invalidate)


@endpoint(
    "Create a task",
    tag="Tasks",
    headers=["Idempotency-Key"],
    returns=[
        Returns(
            HTTPStatus.CREATED,
            "The new task.",
            TaskDocument,
            headers=["ETag", "Idempotency-Replayed", "Location"],
        )
    ],
    errors=[
        TitleTaken("Book the venue", "7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"),
        IdempotencyKeyReused(),
        UnknownAssignee("ada"),
    ],
)
def handler(request: Request, new: NewTask) -> Response:
    """Create a task. No two tasks have the same title. A notification is sent.

    With an `Idempotency-Key`, a request can be repeated safely for 24 hours: it gets the first answer again.
    """
    new_task = new.to_task(created_by=request.user_id, author=request.author)
    task, is_replay = tasks.create(new_task, key=idempotency_key(request))
    headers = {"ETag": etag(task.version), "Location": f"{request.url}/{task.id}"}
    if is_replay:
        headers["Idempotency-Replayed"] = "true"
    else:
        count("TaskCreated")
    return json_response(task_document(task), HTTPStatus.CREATED, headers=headers)
