"""GET /tasks: list tasks, newest first."""

import math
from http import HTTPStatus
from urllib.parse import urlencode

from shared.cached_tasks import CachedTasks
from shared.documents import MICROSECONDS
from shared.http import JSON, Answer, Request, http_handler
from shared.schemas import LIST_QUERY
from shared.tasks import TaskQuery

tasks = CachedTasks()


@http_handler
def handler(request: Request) -> Answer:
    """List tasks, newest first. Follow the `next` link to see every task exactly once."""
    query = request.query(LIST_QUERY)
    created_at = query["created_at"]
    page = tasks.render(
        TaskQuery(
            limit=query["limit"],
            skip=query["skip"],
            status=query["status"],
            created_before=None if created_at is None else math.ceil(created_at * MICROSECONDS),
            after=query["cursor"],
        )
    )
    headers = {"X-Cache": page.cache.value}
    if page.cursor is not None:
        following = {name: query[name] for name in ("status", "created_at", "limit")}
        following["cursor"] = page.cursor
        parameters = urlencode({name: value for name, value in following.items() if value is not None})
        headers["Link"] = f'<{request.url}?{parameters}>; rel="next"'
    return Answer(HTTPStatus.OK, page.body, JSON, headers)
