"""POST /auth/revoke: sign out (RFC 7009)."""

from http import HTTPStatus

from shared.api.endpoint import Returns, endpoint
from shared.api.oauth import with_oauth_error
from shared.api.request import Request
from shared.api.response import Response
from shared.api.user_models import RevocationForm
from shared.errors import InvalidRefreshToken, InvalidToken, Unavailable, UncertainToken
from shared.users.refresh_tokens import RefreshToken
from shared.users.sessions import Sessions
from shared.users.tokens import TokenSigner

sessions = Sessions()
tokens = TokenSigner()


@endpoint(
    "Sign out",
    tag="Users",
    returns=[Returns(HTTPStatus.OK, "The session has ended, if the token was of one.")],
    extend_problem=with_oauth_error,
)
def handler(_request: Request, form: RevocationForm) -> Response:
    """End the session of a refresh token or an access token. Access tokens are refused within five minutes.

    What is no such token is ignored; API keys are deleted at `/auth/keys`.
    """
    try:
        sessions.revoke(RefreshToken.parse(form.token))
    except InvalidRefreshToken:
        try:
            session = tokens.verify(form.token).identity.session
        except UncertainToken as error:
            raise Unavailable from error
        except InvalidToken:
            session = None
        if session is not None:
            sessions.end(session)
    return Response(HTTPStatus.OK)
