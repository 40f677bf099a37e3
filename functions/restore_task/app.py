"""POST /trash/{task_id}/restore: restore a deleted task."""

from http import HTTPStatus

from shared.api.conditional import etag
from shared.api.endpoint import Returns, endpoint
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.trash_models import Restoration
from shared.errors import NotInTrash, TitleTaken
from shared.metrics import count
from shared.tasks.document import TaskDocument, task_document
from shared.tasks.pages import task_list_cache
from shared.tasks.trash import Trash

trash = Trash(task_list_cache().invalidate)


@endpoint(
    "Restore a deleted task",
    tag="Trash",
    returns=[Returns(HTTPStatus.OK, "The task, in a new version.", TaskDocument, headers=["ETag"])],
    errors=[
        NotInTrash("7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10"),
        TitleTaken("Book the venue", "0b8c6d52-21c3-4f0e-8a55-6f1d2e7b9c34"),
    ],
)
def handler(request: Request, restoration: Restoration) -> Response:
    """Restore a deleted task with its id, its history and all of its fields.

    If another task has its title by now, that is a 409; send another `title`.
    """
    task_id = request.path_parameters["task_id"]
    task = trash.restore(task_id, author=request.author, title=restoration.title)
    count("TaskRestored")
    return json_response(task_document(task), headers={"ETag": etag(task.version)})
