"""GET /tasks: list tasks, newest first."""

from http import HTTPStatus

from shared.api.conditional import unless_unchanged, weak_etag
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
    headers=["If-None-Match"],
    returns=[
        Returns(HTTPStatus.OK, "A page of tasks.", list[TaskDocument], headers=["ETag", "Link", "X-Cache"]),
        Returns(
            HTTPStatus.NOT_MODIFIED, "The page is the one that you have.", headers=["ETag", "Link", "X-Cache"]
        ),
    ],
)
def handler(request: Request, query: TaskListQuery) -> Response:
    """List tasks, newest first. Follow the `next` link to see every task exactly once.

    A page can be short, or empty, and have a `next` link: where few tasks pass the filters, it ends early.
    """
    page = pages.render(query.to_task_query(request.claims["username"]))
    headers = {"X-Cache": page.cache.value, "ETag": weak_etag(f"{page.next}\n{page.body}")}
    headers |= next_link(request.url, query.carried_over(), page.next)
    response = Response(HTTPStatus.OK, page.body, JSON, headers)
    return unless_unchanged(response, request.header("If-None-Match"))
