"""The Lambda authorizer: turns a bearer token, or an API key, into an IAM policy.

API Gateway keeps the policy for some minutes per token and applies it to every route, so it speaks of the
whole stage and ends when the token does; what a key may do, each function checks. A bad token is denied, not
raised: that is no failure of this function, and the gateway answers it with 401.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.request import Request
from shared.deadline import deadline_of
from shared.errors import InvalidToken, SessionEnded, UncertainToken
from shared.event_sources import AUTHORIZER, SCHEDULE, source_of
from shared.logs import conceal, event_handler, logger
from shared.users.api_key import PREFIX
from shared.users.api_keys import ApiKeys
from shared.users.sessions import Sessions
from shared.users.table import UsersTable
from shared.users.tokens import TokenSigner
from shared.users.user import user_from_item

tokens = TokenSigner()
table = UsersTable()
sessions = Sessions(table)
api_keys = ApiKeys(table)


class Bearer(NamedTuple):
    """An authorized caller."""

    user_id: str
    expires_at: int | None
    """Unix time in seconds; None for an API key that does not expire."""
    context: dict[str, str]
    """Context that functions receive."""


@event_handler(AUTHORIZER, SCHEDULE)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Allow the bearer of a valid token, or of an API key, the whole stage until that expires."""
    if source_of(event) == SCHEDULE:
        return {}  # a weekly call keeps the version's snapshot from expiring
    request = Request(event)
    logger.set_correlation_id(request.id)
    scheme, token = request.authorization
    conceal(token)
    try:
        if scheme != "bearer":
            raise InvalidToken("not a bearer token")
        with deadline_of(context):
            bearer = _of_api_key(token) if token.startswith(PREFIX) else _of_token(token)
    except UncertainToken as error:
        # No policy, which API Gateway would keep for minutes. This text is a 401 to it.
        logger.info("token refused", reason=str(error))
        from shared.metrics import count  # imported only for refused tokens

        count("TokenUncertain")  # Lambda counts an error, which the alarm leaves out
        raise Exception("Unauthorized") from None
    except (InvalidToken, SessionEnded) as error:
        logger.info("token refused", reason=str(error))
        return {"principalId": "anonymous", "policyDocument": _policy("Deny", event["methodArn"])}
    until = {}
    if bearer.expires_at is not None:
        end = datetime.fromtimestamp(bearer.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        until = {"Condition": {"DateLessThan": {"aws:CurrentTime": end}}}
    return {
        "principalId": bearer.user_id,
        "policyDocument": _policy("Allow", event["methodArn"], **until),
        "context": bearer.context,
    }


def _of_token(token: str) -> Bearer:
    claims = tokens.verify(token)
    user = user_from_item(sessions.check(claims.identity))
    context = {"user_id": claims.user_id, "username": user.username, "session": user.generation}
    if claims.identity.session:
        context["session_id"] = claims.identity.session
    return Bearer(claims.user_id, claims.expires_at, context)


def _of_api_key(secret: str) -> Bearer:
    grant = api_keys.check(secret)
    user = grant.user
    context = {
        "user_id": user.id,
        "username": user.username,
        "scope": grant.scope,
        "api_key": grant.key_id,
        "api_key_name": grant.name,
    }
    return Bearer(user.id, grant.expires_at, context)


def _policy(effect: str, method_arn: str, **restriction: object) -> dict[str, Any]:
    # arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>
    stage_arn = "/".join(method_arn.split("/", 2)[:2])
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": effect,
        "Resource": f"{stage_arn}/*",
        **restriction,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
