"""POST /tasks: create a task."""

from http import HTTPStatus

from shared.cached_tasks import CachedTasks
from shared.errors import TitleTaken
from shared.http import Answer, Api, task_answer
from shared.metrics import count
from shared.responses import SIGNED_IN, problems, success
from shared.schemas import NewTask, TaskDocument

app = Api()
tasks = CachedTasks()


@app.post(
    "/tasks",
    summary="Create a task",
    operation_id="create_task",
    tags=["Tasks"],
    openapi_extensions=SIGNED_IN,
    responses=success(HTTPStatus.CREATED, "The new task", "Location", "ETag", model=TaskDocument)
    | problems(TitleTaken("Book the venue")),
)
def create_task(task: NewTask) -> Answer:
    """Create a task with a title that no other task has."""
    created = tasks.create(
        title=task.title, description=task.description, status=task.status, created_by=app.user_id
    )
    count("TaskCreated")
    location = f"{app.request_url}/{created.id}"
    return task_answer(created, status=HTTPStatus.CREATED, headers={"Location": location})


handler = app.handler
