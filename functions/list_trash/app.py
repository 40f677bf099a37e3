"""GET /trash: list deleted tasks."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.paging import next_link
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.trash_models import TrashQuery
from shared.tasks.document import TrashedTaskDocument, trashed_task_document
from shared.tasks.trash import Trash

trash = Trash()


@endpoint(
    "List deleted tasks",
    tag="Trash",
    returns=[Returns(HTTPStatus.OK, "A page of the trash.", list[TrashedTaskDocument], headers=["Link"])],
)
def handler(request: Request, query: TrashQuery) -> Response:
    """List deleted tasks, latest deletion first. New deletions are listed within a second.

    A page can be short, or empty, and have a `next` link.
    """
    page = trash.page(query.limit, query.cursor)
    headers = next_link(request.url, query.carried_over(), page.next)
    return json_response([trashed_task_document(each) for each in page.tasks], headers=headers)
