"""POST /tasks: create a task."""

from http import HTTPStatus

from shared.api.conditional import etag
from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.task_models import NewTask
from shared.errors import TitleTaken
from shared.metrics import count
from shared.tasks.document import TaskDocument, task_document
from shared.tasks.pages import task_list_cache
from shared.tasks.store import TaskStore

tasks = TaskStore(task_list_cache().invalidate)


@endpoint(
    "Create a task",
    tag="Tasks",
    takes=NewTask,
    returns=[Returns(HTTPStatus.CREATED, "The new task.", TaskDocument, headers=["ETag", "Location"])],
    errors=[TitleTaken("Book the venue")],
)
def handler(request: Request, new: NewTask) -> Response:
    """Create a task. No two tasks have the same title. A notification is sent."""
    task = tasks.create(new, created_by=request.user_id)
    count("TaskCreated")
    return json_response(
        task_document(task),
        HTTPStatus.CREATED,
        headers={"ETag": etag(task.version), "Location": f"{request.url}/{task.id}"},
    )
