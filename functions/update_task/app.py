"""PATCH /tasks/{task_id}: change some fields of a task."""

from shared.cached_tasks import CachedTasks
from shared.http import Answer, Request, http_handler, matching_versions, task_answer
from shared.metrics import count
from shared.schemas import TASK_CHANGES

tasks = CachedTasks()


@http_handler
def handler(request: Request) -> Answer:
    """Change the fields that are given; with `If-Match`, only if nobody else changed the task meanwhile."""
    changes = request.json_body(TASK_CHANGES)
    versions = matching_versions(request.header("If-Match"))
    task = tasks.update(request.task_id, changes, versions=versions)
    count("TaskUpdated")
    return task_answer(task)
