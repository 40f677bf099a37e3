"""The Lambda authorizer: turns a bearer token into an IAM policy.

API Gateway keeps the policy for some minutes per token and applies it to every route, so it speaks of the
whole stage and ends when the token does. A bad token is denied, not raised: that is no failure of this
function, and the gateway answers it with 401.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.request import Request
from shared.deadline import deadline_of
from shared.errors import InvalidToken, SessionEnded, UncertainToken
from shared.event_sources import AUTHORIZER, SCHEDULE, source_of
from shared.logs import conceal, event_handler, logger
from shared.users.sessions import Sessions
from shared.users.tokens import TokenSigner

tokens = TokenSigner()
sessions = Sessions()


@event_handler(AUTHORIZER, SCHEDULE)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Allow the bearer of a valid token the whole stage until the token expires."""
    if source_of(event) == SCHEDULE:
        return {}  # the weekly call that keeps the version's snapshot
    request = Request(event)
    logger.set_correlation_id(request.id)
    scheme, token = request.authorization
    conceal(token)
    try:
        if scheme != "bearer":
            raise InvalidToken("not a bearer token")
        with deadline_of(context):
            claims = tokens.verify(token)
            sessions.check(claims.username, claims.session)
    except UncertainToken as error:
        # No policy, which API Gateway would keep for minutes. This text is a 401 to it.
        logger.info("token refused", reason=str(error))
        from shared.metrics import count  # which other tokens need not wait for

        count("TokenUncertain")  # Lambda counts an error, which the alarm leaves out
        raise Exception("Unauthorized") from None
    except (InvalidToken, SessionEnded) as error:
        logger.info("token refused", reason=str(error))
        return {"principalId": "anonymous", "policyDocument": _policy("Deny", event["methodArn"])}
    expiry = datetime.fromtimestamp(claims.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "principalId": claims.user_id,
        "policyDocument": _policy(
            "Allow", event["methodArn"], Condition={"DateLessThan": {"aws:CurrentTime": expiry}}
        ),
        "context": {"user_id": claims.user_id, "username": claims.username, "session": claims.session},
    }


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
