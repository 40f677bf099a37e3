"""GET /users: list users by name."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.paging import next_link
from shared.api.request import Request
from shared.api.response import Response, json_response
from shared.api.user_models import UserListQuery
from shared.users.directory import Directory
from shared.users.document import ListedUserDocument

directory = Directory()


@endpoint(
    "List users",
    tag="Users",
    returns=[Returns(HTTPStatus.OK, "A page of users.", list[ListedUserDocument], headers=["Link"])],
)
def handler(request: Request, query: UserListQuery) -> Response:
    """List the users by name. New users are listed within a second.

    Follow the `Link` header to the next page.
    """
    names, last = directory.page(query.prefix, query.limit, query.cursor)
    users: list[ListedUserDocument] = [{"username": name} for name in names]
    return json_response(users, headers=next_link(request.url, query.carried_over(), last))
