"""GET /tasks/{task_id}/history: list the changes of a task."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.history_models import HistoryQuery
from shared.api.paging import next_link
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.errors import TaskNotFound
from shared.tasks.changes import ChangeDocument
from shared.tasks.history import TaskHistory

history = TaskHistory()


@endpoint(
    "List the changes of a task",
    tag="Tasks",
    returns=[Returns(HTTPStatus.OK, "A page of changes.", list[ChangeDocument], headers=["Link"])],
    errors=[TaskNotFound("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10")],
)
def handler(request: Request, query: HistoryQuery) -> Response:
    """List who changed what and when, newest first; also for a task in the trash.

    Version 1 is its creation. Of a task that is older than this API's version 1.3, the history begins with
    its first change after that: then the oldest entry has a higher version.

    A page of long texts can be short, and have a `next` link.
    """
    task_id = request.path_parameters["task_id"]
    page = history.page(task_id, query.limit, query.cursor)
    url = f"{request.api_url}/tasks/{task_id}/history"
    return json_response(page.changes, headers=next_link(url, query.carried_over(), page.next))
