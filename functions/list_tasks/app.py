"""GET /tasks: list tasks, newest first."""

import math
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import WithJsonSchema

from shared.cached_tasks import CachedTasks
from shared.http import JSON, Answer, Api
from shared.responses import SIGNED_IN, problems, success
from shared.schemas import MICROSECONDS, Cursor, TaskDocument
from shared.tasks import TaskQuery, TaskStatus

app = Api()
tasks = CachedTasks()

# Decimal, because a float cannot hold today's time to the microsecond. The limit is the year 9999.
UnixTime = Annotated[Decimal, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 253402300799})]


@app.get(
    "/tasks",
    summary="List tasks",
    operation_id="list_tasks",
    tags=["Tasks"],
    openapi_extensions=SIGNED_IN,
    responses=success(HTTPStatus.OK, "A page of tasks", "Link", "X-Cache", model=list[TaskDocument])
    | problems(),
)
def list_tasks(
    status: Annotated[TaskStatus | None, Query(description="Only tasks with this status.")] = None,
    created_at: Annotated[
        UnixTime | None,
        Query(ge=0, le=253402300799, description="Only tasks created before this Unix time in seconds."),
    ] = None,
    skip: Annotated[int, Query(ge=0, le=10_000, description="For short lists; its cost grows with it.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[
        Cursor | None, Query(description="From the Link header; costs the same however deep it points.")
    ] = None,
) -> Answer:
    """List tasks, newest first. Follow the `next` link to see every task exactly once."""
    page = tasks.render(
        TaskQuery(
            limit=limit,
            skip=skip,
            status=status,
            created_before=None if created_at is None else math.ceil(created_at * MICROSECONDS),
            after=cursor,
        )
    )
    headers = {"X-Cache": page.cache.value}
    if page.cursor is not None:
        parameters = {
            "status": status,
            "created_at": created_at,
            "limit": limit,
            "cursor": page.cursor,
        }
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        headers["Link"] = f'<{app.request_url}?{query}>; rel="next"'
    return Answer(HTTPStatus.OK, JSON, page.body, headers)


handler = app.handler
