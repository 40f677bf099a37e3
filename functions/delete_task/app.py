"""DELETE /tasks/{task_id}: remove a task."""

from http import HTTPStatus

from shared.cached_tasks import CachedTasks
from shared.http import Answer, Request, http_handler, matching_versions
from shared.metrics import count

tasks = CachedTasks()


@http_handler
def handler(request: Request) -> Answer:
    """Remove a task and free its title; with `If-Match`, only if nobody changed the task meanwhile."""
    tasks.delete(request.task_id, versions=matching_versions(request.header("If-Match")))
    count("TaskDeleted")
    return Answer(HTTPStatus.NO_CONTENT)
