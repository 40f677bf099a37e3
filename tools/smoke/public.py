"""Checks that need no user."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tools.smoke.client import AT_ONCE, URL_MADE_IN, Client, NotChecked, expect, expect_problem, expect_status

_BURST = 1_000
"""Number of requests sent at full speed: more than the default `BurstLimit`."""
_MAX_BODY = 10 * 1024 * 1024
_FORGED = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJl"


def board_is_served(anyone: Client) -> None:
    """The board is served, and its policy allows only its own script."""
    response = anyone("GET", "/")
    expect_status(response, 200, "the logs of BoardFunction")
    policy = response.headers.get("Content-Security-Policy", "")
    expect("script-src 'sha256-" in policy, f"its policy is {policy!r}", "functions/board/app.py")


def document_names_this_address(anyone: Client) -> None:
    """The OpenAPI document names this URL as its server."""
    response = anyone("GET", "/openapi.json")
    expect_status(response, 200, "the logs of ApiDocsFunction")
    server = response.json()["servers"][0]["url"]
    expect(
        server == anyone.url,
        f"it names {server}",
        URL_MADE_IN,
    )


def responses_are_compressed(anyone: Client) -> None:
    """Large responses are compressed for clients that accept it, and only for those."""
    look_at = "MinimumCompressionSize in template.yaml"
    plain, packed = (
        anyone("GET", "/openapi.json", headers={"Accept-Encoding": coding}) for coding in ("identity", "gzip")
    )
    expect(
        "Content-Encoding" not in plain.headers,
        "it is compressed although the client does not accept it",
        look_at,
    )
    expect(packed.headers.get("Content-Encoding") == "gzip", "it is not compressed", look_at)
    expect(plain.content == packed.content, "the compressed document differs", look_at)


def unknown_routes_are_not_found(anyone: Client) -> None:
    """An unknown route is a 404, with a token and without."""
    expect_problem(anyone("GET", "/nowhere"), 404, "MISSING_AUTHENTICATION_TOKEN")
    signed_in = Client(anyone.url, _FORGED)
    expect_problem(signed_in("GET", "/nowhere"), 404, "INVALID_SIGNATURE")


def there_is_no_head(anyone: Client) -> None:
    """HEAD is a 404."""
    expect_problem(anyone("HEAD", "/"), 404, "MISSING_AUTHENTICATION_TOKEN")


def no_token_is_refused(anyone: Client) -> None:
    """A request without a token is a 401 with WWW-Authenticate."""
    response = anyone("GET", "/auth/me")
    expect_problem(response, 401, "UNAUTHORIZED")
    expect(response.headers.get("WWW-Authenticate") == "Bearer", "no WWW-Authenticate", "GatewayResponses")


def bad_tokens_are_refused(anyone: Client) -> None:
    """Forged and malformed tokens are rejected, also the second time."""
    for token in (_FORGED, "garbage"):
        for _ in range(2):
            response = Client(anyone.url, token)("GET", "/auth/me")
            expect_problem(response, 401, "ACCESS_DENIED")
            expect(response.headers.get("WWW-Authenticate"), "no WWW-Authenticate", "GatewayResponses")


def large_bodies_are_refused(anyone: Client) -> None:
    """A body of more than 10 MB is a 413."""
    response = anyone("POST", "/auth/login", data=b"x" * (_MAX_BODY + 1))
    expect_problem(response, 413, "REQUEST_TOO_LARGE")


def functions_refuse_as_the_gateway_does(anyone: Client) -> None:
    """A function's own error is a problem document with the same headers."""
    response = anyone("POST", "/auth/login", data={"grant_type": "password"})
    expect_status(response, 422, "the logs of LoginFunction")
    for header in ("x-request-id", "Access-Control-Allow-Origin"):
        expect(header in response.headers, f"it has no {header}", "shared/api/endpoint.py")
    expect("error" in response.json(), "it has no OAuth 2 error", "shared/api/oauth.py")


def preflights_are_answered(anyone: Client) -> None:
    """CORS preflights allow the API's methods and headers."""
    look_at = "Cors in template.yaml, and the stage's last deployment"
    asked = {
        "Origin": "http://localhost:8080",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,if-match,idempotency-key",
    }
    response = anyone("OPTIONS", "/tasks/7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10", headers=asked)
    expect(response.ok, f"the preflight is {response.status_code}", look_at)
    allowed = response.headers.get("Access-Control-Allow-Headers", "").lower().split(",")
    missing = set(asked["Access-Control-Request-Headers"].split(",")) - set(allowed)
    expect(not missing, f"it does not allow {', '.join(missing)}", look_at)
    methods = response.headers.get("Access-Control-Allow-Methods", "")
    expect("PATCH" in methods, f"it allows {methods or 'no method'}", look_at)


def too_much_is_throttled(anyone: Client) -> None:
    """Requests above the limit are a 429 with Retry-After."""
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        responses = list(threads.map(lambda _: anyone("OPTIONS", "/tasks"), range(_BURST)))
    refused = [response for response in responses if response.status_code == 429]
    if not refused:
        rate = _BURST / (time.monotonic() - begun)
        raise NotChecked(f"{_BURST} requests at {rate:.0f} per second all succeeded: RateLimit is higher")
    expect_problem(refused[0], 429, "THROTTLED")
    expect("Retry-After" in refused[0].headers, "the 429 has no Retry-After", "GatewayResponses.THROTTLED")


CHECKS = (
    board_is_served,
    document_names_this_address,
    responses_are_compressed,
    unknown_routes_are_not_found,
    there_is_no_head,
    no_token_is_refused,
    bad_tokens_are_refused,
    large_bodies_are_refused,
    functions_refuse_as_the_gateway_does,
    preflights_are_answered,
)
