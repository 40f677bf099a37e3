"""GET /tasks/{task_id}: read one task."""

from http import HTTPStatus

from shared.http import Answer, Request, etag, http_handler, is_unchanged, task_answer
from shared.task_store import TaskStore

tasks = TaskStore()


@http_handler
def handler(request: Request) -> Answer:
    """Read a task as the last write left it."""
    task = tasks.get(request.task_id)
    if is_unchanged(task, request.header("If-None-Match")):
        return Answer(HTTPStatus.NOT_MODIFIED, headers={"ETag": etag(task)})
    return task_answer(task)
