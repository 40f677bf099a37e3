"""DELETE /trash/{task_id}: remove a deleted task for good."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response
from shared.errors import NotInTrash
from shared.metrics import count
from shared.tasks.trash import Trash

trash = Trash()


@endpoint(
    "Remove a deleted task for good",
    tag="Trash",
    returns=[Returns(HTTPStatus.NO_CONTENT, "The task is gone for good.")],
    errors=[NotInTrash("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10")],
)
def handler(request: Request) -> Response:
    """Remove a task from the trash, and its history. It cannot be restored any more."""
    trash.purge(request.path_parameters["task_id"], author=request.author)
    count("TaskPurged")
    return Response(HTTPStatus.NO_CONTENT)
