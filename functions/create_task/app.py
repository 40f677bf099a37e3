"""POST /tasks: create a task."""

from http import HTTPStatus

from shared.cached_tasks import CachedTasks
from shared.http import Answer, Request, http_handler, task_answer
from shared.metrics import count
from shared.schemas import NEW_TASK

tasks = CachedTasks()


@http_handler
def handler(request: Request) -> Answer:
    """Create a task with a title that no other task has."""
    new = request.json_body(NEW_TASK)
    task = tasks.create(**new, created_by=str(request.user_id))
    count("TaskCreated")
    location = f"{request.url}/{task.id}"
    return task_answer(task, status=HTTPStatus.CREATED, headers={"Location": location})
