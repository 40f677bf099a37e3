"""GET /tasks: list tasks, newest first."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.paging import next_link
from shared.api.request import Request
from shared.api.response import JSON, Response
from shared.api.task_models import TaskListQuery
from shared.tasks.document import TaskDocument
from shared.tasks.pages import TaskPages

pages = TaskPages()


@endpoint(
    "List tasks",
    tag="Tasks",
    takes=TaskListQuery,
    returns=[Returns(HTTPStatus.OK, "A page of tasks.", list[TaskDocument], headers=["Link", "X-Cache"])],
)
def handler(request: Request, query: TaskListQuery) -> Response:
    """List tasks, newest first. Follow the `next` link to see every task exactly once."""
    page = pages.render(query.to_task_query())
    headers = {"X-Cache": page.cache.value}
    if page.next is not None:
        headers["Link"] = next_link(request.url, query, page.next)
    return Response(HTTPStatus.OK, page.body, JSON, headers)
