"""The local gateway answers as API Gateway does."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from hypothesis import example, given
from hypothesis import strategies as st
from samcli.local.apigw.local_apigw_service import LocalApigwService
from werkzeug.datastructures import Headers
from werkzeug.test import Client, TestResponse

from tests.conftest import ROOT
from tools.local.gateway.authorizer_cache import AuthorizerCache, ttl_of
from tools.local.gateway.compression import compressor, unpack
from tools.local.gateway.gateway_responses import DEFAULT_5XX, MISSING_AUTHENTICATION_TOKEN, GatewayResponses
from tools.local.gateway.origins import is_foreign
from tools.local.gateway.policy import InvalidPolicy, Policy
from tools.local.gateway.proxy_response import MalformedResponse, parse_response
from tools.local.gateway.service import Gateway
from tools.local.log_entries import RequestLogEntry
from tools.local.runtime.spec import Result, failure
from tools.local.template import Template, load_template

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      BinaryMediaTypes: [image/png]
      MinimumCompressionSize: 1000
      Auth:
        DefaultAuthorizer: Token
        Authorizers:
          Token:
            FunctionArn: !GetAtt Authorize.Arn
            Identity: {Header: Authorization, ReauthorizeEvery: 60}
  Authorize: &function
    Type: AWS::Serverless::Function
    Properties: {CodeUri: ., Handler: app.handler, Runtime: python3.13}
  Thing:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: app.handler
      Runtime: python3.13
      Events:
        Get: {Type: Api, Properties: {RestApiId: !Ref Api, Method: GET, Path: "/things/{id}"}}
        Put: {Type: Api, Properties: {RestApiId: !Ref Api, Method: PUT, Path: "/things/{id}"}}
        Open:
          Type: Api
          Properties: {RestApiId: !Ref Api, Method: ANY, Path: /open, Auth: {Authorizer: NONE}}
"""
Answer = Callable[[dict[str, Any]], object]


def policy(event: dict[str, Any], effect: str = "Allow", **statement: Any) -> dict[str, Any]:
    resource = event["methodArn"].split("/")[0] + "/*"
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource, **statement}
    return {
        "principalId": "someone",
        "policyDocument": {"Statement": [statement]},
        "context": {"name": "Someone", "number": 1, "yes": True},
    }


class Functions:
    """Fake functions whose responses a test sets."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Answer] = {
            "Thing": lambda _: {"statusCode": 200, "body": "{}"},
            "Authorize": policy,
        }
        self.version = 1

    def is_debugging(self) -> bool:
        return False

    def code(self, name: str) -> int:
        return self.version

    def invoke(self, name: str, event: bytes) -> Result:
        parsed = json.loads(event)
        self.events.append((name, parsed))
        answer = self.answers[name](parsed)
        return answer if isinstance(answer, Result) else Result(json.dumps(answer).encode())

    def calls(self, name: str) -> list[dict[str, Any]]:
        return [event for function, event in self.events if function == name]


class Api:
    """A gateway with fake functions, and a client of it."""

    def __init__(self, template: Template, **options: Any) -> None:
        self.functions = Functions()
        self.log: list[RequestLogEntry] = []
        self.reports: list[tuple[str, str]] = []
        gateway = Gateway(
            template,
            self.functions,
            3000,
            log=self.log.append,
            report=lambda name, text: self.reports.append((name, text)),
            **options,
        )
        self._client = Client(gateway.application)

    def __call__(self, path: str = "/open", method: str = "GET", **options: Any) -> TestResponse:
        base = {"REMOTE_ADDR": "127.0.0.1"}
        return self._client.open(path, method=method, environ_base=base, **options)

    def answer(self, answer: object) -> TestResponse:
        self.functions.answers["Thing"] = lambda _: answer
        return self()

    @property
    def event(self) -> dict[str, Any]:
        return self.functions.calls("Thing")[-1]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    path: Path = tmp_path_factory.mktemp("template") / "template.yaml"
    path.write_text(TEMPLATE)
    return load_template(path, {})


@pytest.fixture
def api(template: Template) -> Api:
    return Api(template)


SIGNED_IN = {"headers": {"Authorization": "Bearer x"}}


class TestRoutes:
    @pytest.mark.parametrize(
        ("path", "method"),
        [("/nowhere", "GET"), ("/things/1", "BREW"), ("/things//1", "GET"), ("/things/1", "OPTIONS")],
    )
    def test_an_unknown_route_is_reported_as_a_missing_token(self, api: Api, path: str, method: str) -> None:
        response = api(path, method)
        assert (response.status_code, response.json) == (403, {"message": "Missing Authentication Token"})
        assert api.functions.events == []
        assert (api.log[0].status, api.log[0].function) == (403, None)

    def test_head_needs_its_own_route(self, api: Api) -> None:
        assert api("/things/1", "HEAD").status_code == 403
        response = api("/open", "HEAD")
        assert (response.status_code, response.data) == (200, b"")

    def test_an_event_over_lambdas_limit_is_too_large(self, api: Api) -> None:
        limit = 6 * 1024 * 1024
        assert api(method="POST", data=b"x" * (limit - 10_000)).status_code == 200
        assert api(method="POST", data=b"x" * limit).status_code == 413

    def test_a_request_is_logged_with_its_trailing_slash(self, api: Api) -> None:
        api("/open/?a=%0A&b")
        entry = api.log[0]
        assert (entry.method, entry.path, entry.status) == ("GET", "/open/?a=%0A&b", 200)
        assert entry.function == "Thing"


class TestOrigins:
    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "[::1]:3000", "mine:1"]
    )
    def test_pages_of_this_machine_are_allowed(self, host: str) -> None:
        for origin in (None, f"http://{host.lower()}", "http://localhost:8080"):
            headers = Headers({"Host": host} | ({"Origin": origin} if origin else {}))
            assert not is_foreign(headers, {"mine"}, ())

    @pytest.mark.parametrize(
        "host", ["evil.example:3000", "localhost.evil.example", "0.0.0.0:1", "192.168.0.7", "[::2]", "[x"]
    )
    def test_a_foreign_host_is_denied_unless_all_hosts_are_served(self, host: str) -> None:
        own_page = Headers({"Host": host, "Origin": f"http://{host}"})
        assert is_foreign(own_page, (), ())
        assert is_foreign(Headers({"Host": host}), (), ())
        assert not is_foreign(Headers({"Host": host}), None, ())
        assert not is_foreign(own_page, None, ())

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example", "null", "", "http://localhost.evil.example", "http://localhost@evil.example",
         "http://localhost, https://evil.example", "http://[x"],
    )  # fmt: skip
    def test_foreign_pages_are_denied_unless_an_option_allows_them(self, origin: str) -> None:
        headers = Headers({"Host": "localhost", "Origin": origin})
        for hosts in ((), None):
            assert is_foreign(headers, hosts, ["https://app.example"])
            assert not is_foreign(headers, hosts, [origin])
            assert not is_foreign(headers, hosts, ["*"])

    def test_a_foreign_page_gets_the_gateways_403(self, template: Template) -> None:
        api = Api(template, hosts={"mine"}, origins=["https://app.example"])
        for method in ("GET", "OPTIONS"):
            for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
                response = api("/open", method, headers=headers)
                assert (response.status_code, response.json) == (403, {"message": "Forbidden"})
        assert api.functions.events == []
        assert "--allow-origin" in api.reports[0][1]
        assert api(headers={"Host": "mine", "Origin": "https://app.example"}).status_code == 200


class TestCompression:
    @pytest.mark.parametrize(
        ("size", "accepted", "compressed"),
        [(999, "gzip", False), (1000, "deflate, gzip", True), (1000, "", False), (1000, "gzip;q=0", False)],
    )
    def test_large_responses_are_compressed_for_clients_that_accept_it(
        self, api: Api, size: int, accepted: str, compressed: bool
    ) -> None:
        api.functions.answers["Thing"] = lambda _: {"statusCode": 200, "body": "x" * size}
        response = api(headers={"Accept-Encoding": accepted})
        assert (response.headers.get("Content-Encoding") == "gzip") is compressed
        assert (gzip.decompress(response.data) if compressed else response.data) == b"x" * size
        assert int(response.headers["Content-Length"]) == len(response.data)

    @pytest.mark.parametrize(
        ("coding", "sent", "status"),
        [
            ("GZIP", gzip.compress(b"text", mtime=0), 200),
            ("deflate", zlib.compress(b"text"), 200),
            ("identity", b"text", 200),
            ("gzip", b"text", 415),
            ("gzip", gzip.compress(b"text", mtime=0)[:-1], 415),
            ("gzip", gzip.compress(b"text", mtime=0) + b"more", 415),
            ("deflate", gzip.compress(b"text", mtime=0), 415),
            ("br", b"text", 415),
            ("gzip", gzip.compress(b"\xff", mtime=0), 400),
            ("gzip", gzip.compress(bytes(10 * 1024 * 1024 + 1), mtime=0), 413),
        ],
    )
    def test_compressed_requests_are_decoded(self, api: Api, coding: str, sent: bytes, status: int) -> None:
        response = api(method="POST", data=sent, headers={"Content-Encoding": coding})
        assert response.status_code == status
        assert [event["body"] for event in api.functions.calls("Thing")] == ["text"] * (status == 200)

    def test_the_decoded_size_of_a_request_is_bounded(self) -> None:
        assert unpack(gzip.compress(bytes(1_000_000)), "gzip", 1000) == bytes(1001)

    def test_responses_are_compressed_only_if_the_template_says_so(self) -> None:
        body = Response("x" * 10_000)
        with Flask("x").test_request_context(headers={"Accept-Encoding": "gzip"}):
            assert "Content-Encoding" not in compressor(None)(body).headers


class TestEvents:
    def test_events_have_all_values_of_repeated_headers_and_parameters(self, api: Api) -> None:
        api("/open?a=1&a=2&b=&c", headers=[("X-Twice", "1"), ("x-once", "ü")])
        assert api.event["queryStringParameters"] == {"a": "2", "b": "", "c": ""}
        assert api.event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""], "c": [""]}
        assert api.event["multiValueHeaders"]["X-Twice"] == ["1"]

    def test_missing_parts_of_an_event_are_null(self, api: Api) -> None:
        api()
        for name in ("queryStringParameters", "multiValueQueryStringParameters", "body", "pathParameters"):
            assert api.event[name] is None

    def test_the_context_is_of_this_request(self, api: Api) -> None:
        before = datetime.now(UTC).timestamp()
        api("/things/7", **SIGNED_IN)
        api("/things/8", **SIGNED_IN)
        first, second = (event["requestContext"] for event in api.functions.calls("Thing"))
        assert first["requestId"] != second["requestId"]
        assert (first["path"], first["resourcePath"]) == ("/things/7", "/things/{id}")
        assert before - 1 <= first["requestTimeEpoch"] / 1000 <= before + 60
        caller = {"principalId": "someone", "name": "Someone", "number": "1", "yes": "true"}
        assert first["authorizer"] == caller

    def test_an_event_has_the_forwarded_headers_and_the_user_agent(self, api: Api) -> None:
        api(headers={"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https", "User-Agent": "me"})
        forwarded = [api.event["headers"][f"X-Forwarded-{name}"] for name in ("For", "Proto", "Port")]
        assert forwarded == ["9.9.9.9, 127.0.0.1", "http", "3000"]
        assert api.event["requestContext"]["identity"]["userAgent"] == "me"


class TestAuthorizer:
    def get(self, api: Api, who: str = "x", method: str = "GET") -> int:
        return api("/things/1", method, headers={"Authorization": who}).status_code

    def asked(self, api: Api) -> int:
        return len(api.functions.calls("Authorize"))

    def test_a_policy_is_cached_per_token_and_code_and_applies_to_every_route(self, api: Api) -> None:
        assert [self.get(api), self.get(api), self.get(api, method="PUT")] == [200, 200, 200]
        assert self.asked(api) == 1
        self.get(api, "y")
        assert self.asked(api) == 2
        api.functions.version = 2
        self.get(api, "y")
        assert self.asked(api) == 3

    def test_a_denial_is_cached_too(self, api: Api) -> None:
        api.functions.answers["Authorize"] = lambda event: policy(event, "Deny")
        assert [self.get(api), self.get(api)] == [403, 403]
        assert self.asked(api) == 1
        assert api.functions.calls("Thing") == []

    def test_a_policy_past_its_condition_denies(self, api: Api) -> None:
        past = {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}
        api.functions.answers["Authorize"] = lambda event: policy(event, Condition=past)
        assert self.get(api) == 403

    def test_a_missing_token_is_unauthorized_without_a_call(self, api: Api) -> None:
        response = api("/things/1")
        assert (response.status_code, response.json) == (401, {"message": "Unauthorized"})
        assert self.asked(api) == 0

    @pytest.mark.parametrize(
        ("answer", "status"),
        [(failure("KeyError", "x"), 500), (failure("Exception", "Unauthorized"), 401), ("no policy", 500)],
    )
    def test_failures_are_not_cached(self, api: Api, answer: object, status: int) -> None:
        api.functions.answers["Authorize"] = lambda _: answer
        assert self.get(api) == status
        api.functions.answers["Authorize"] = policy
        assert self.get(api) == 200

    def test_the_cache_can_be_switched_off(self, template: Template) -> None:
        api = Api(template, authorizer_cache=False)
        assert [self.get(api), self.get(api)] == [200, 200]
        assert self.asked(api) == 2


class TestAuthorizerCache:
    POLICY = Policy((), {})

    def test_a_policy_expires_and_a_ttl_of_zero_caches_nothing(self) -> None:
        now = [0.0]
        cache = AuthorizerCache(clock=lambda: now[0])
        cache.put("key", self.POLICY, 60)
        cache.put("other", self.POLICY, 0)
        now[0] = 59.9
        assert (cache.get("key"), cache.get("other")) == (self.POLICY, None)
        now[0] = 60.0
        assert cache.get("key") is None

    def test_the_cache_of_policies_is_bounded(self) -> None:
        cache = AuthorizerCache(max_policies=2)
        for key in "abc":
            cache.put(key, self.POLICY, 60)
        assert [cache.get(key) is not None for key in "abc"] == [False, True, True]

    def test_the_ttl_comes_from_the_template(self) -> None:
        assert ttl_of({"T": {"Identity": {"ReauthorizeEvery": 0}}}, "T") == 0
        assert ttl_of({"T": {"Identity": {"Header": "Authorization"}}}, "T") == 300
        declared = load_template(ROOT / "template.yaml", {}).authorizers
        assert ttl_of(declared, "TokenAuthorizer") == 300


def allow(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*", **changes}


def when(operator: str, moment: str) -> dict[str, Any]:
    return allow(Condition={operator: {"aws:CurrentTime": moment}})


class TestPolicies:
    ARN = "arn:aws:execute-api:us-east-1:123456789012:abc/v1/GET/tasks"

    @pytest.mark.parametrize(
        ("statements", "allowed"),
        [
            ([allow()], True),
            ([allow(), allow(Effect="Deny")], False),
            ([allow(Action=["execute-api:*"])], True),
            ([allow(Action="lambda:Invoke")], False),
            ([allow(Resource="arn:aws:execute-api:*/v1/*/tasks")], True),
            ([allow(Resource="arn:aws:execute-api:*/v1/POST/*")], False),
            ([allow(Resource=ARN + ".*")], False),
            ([when("DateLessThan", "1970-01-01T00:00:11Z")], True),
            ([when("DateLessThan", "1970-01-01T00:00:10Z")], False),
            ([when("DateGreaterThan", "1970-01-01T00:00:09Z")], False),
            ([when("DateLessThan", "some day")], False),
            ([allow(Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})], False),
        ],
    )
    def test_statements_apply_and_a_deny_wins(self, statements: list[Any], allowed: bool) -> None:
        answer = {"principalId": "x", "policyDocument": {"Statement": statements}}
        assert Policy.parse(json.dumps(answer).encode()).allows(self.ARN, now=10) is allowed

    @given(st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["Allow", "Statement"]),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["principalId", "policyDocument", "Statement", "Effect", "context"]), inner
        ),
    ))  # fmt: skip
    @example({"principalId": "x", "policyDocument": {"Statement": []}})
    def test_an_invalid_policy_is_refused(self, answer: object) -> None:
        with pytest.raises(InvalidPolicy):
            Policy.parse(json.dumps(answer).encode())


OK = {"statusCode": 200}


class TestResponses:
    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (None, "it is null, not an object"),
            ([], "it is an array"),
            ({}, "no statusCode"),
            ({"statusCode": "many"}, 'statusCode "many"'),
            ({"statusCode": True}, "statusCode true"),
            ({"statusCode": 199}, "statusCode 199"),
            ({**OK, "body": {}}, "the body is an object, not a string"),
            ({**OK, "headers": []}, "headers is an array"),
            ({**OK, "headers": {"x": 1}}, "the header x is a number, not a string"),
            ({**OK, "headers": {"x": "a\nb"}}, "characters"),
            ({**OK, "headers": {"x y": "a"}}, "characters"),
            ({**OK, "headers": {"x": "€"}}, "characters"),
            ({**OK, "multiValueHeaders": {"x": "y"}}, "x in multiValueHeaders is a string"),
            ({**OK, "multiValueHeaders": {"x": [None]}}, "the header x is null"),
            ({**OK, "isBase64Encoded": "maybe"}, "isBase64Encoded is a string"),
            ({**OK, "Body": "x"}, "not known: Body"),
        ],
    )
    def test_an_invalid_response_is_a_502_with_its_reason(
        self, api: Api, answer: object, reason: str
    ) -> None:
        response = api.answer(answer)
        assert (response.status_code, response.json) == (502, {"message": "Internal server error"})
        [(function, report)] = api.reports
        assert function == "Thing"
        assert report.startswith("Malformed Lambda proxy response: ")
        assert reason in report

    def test_a_failed_function_is_a_502_and_reported_by_the_runtime(self, api: Api) -> None:
        assert api.answer(failure("KeyError", "x")).status_code == 502
        assert api.reports == []

    @pytest.mark.parametrize("message", ["Internal server error", "Missing Authentication Token"])
    def test_a_functions_message_is_not_mistaken_for_the_gateways(self, api: Api, message: str) -> None:
        response = api.answer({**OK, "body": json.dumps({"message": message})})
        assert (response.status_code, response.json) == (200, {"message": message})

    def test_headers_are_merged_but_for_those_of_the_connection(self, api: Api) -> None:
        headers = {"Connection": "close", "Content-Length": "7", "Date": "now", "X-A": "1", "X-B": "2"}
        response = api.answer(
            {**OK, "body": "abc", "headers": headers, "multiValueHeaders": {"X-A": ["0", "1"]}}
        )
        assert response.headers.getlist("X-A") == ["0", "1"]
        assert response.headers.getlist("X-B") == ["2"]
        assert "Connection" not in response.headers
        assert response.headers["Content-Length"] == "3"
        assert response.headers["x-amzn-Remapped-Date"] == "now"

    def test_a_response_is_json_unless_the_function_says_otherwise(self, api: Api) -> None:
        assert api.answer(OK).headers.getlist("Content-Type") == ["application/json"]
        text = {**OK, "headers": {"content-type": "text/x"}}
        assert api.answer(text).headers.getlist("Content-Type") == ["text/x"]

    def test_base64_is_decoded_for_binary_media_types(self, api: Api) -> None:
        png = {"headers": {"Content-Type": "image/png"}, "isBase64Encoded": True}
        assert api.answer({**OK, **png, "body": "AAE="}).data == b"\x00\x01"
        assert api.answer({**OK, "body": "AAE=", "isBase64Encoded": True}).data == b"AAE="
        assert api.answer({**OK, **png, "body": "A!"}).status_code == 502
        assert "no base64" in api.reports[0][1]

    @pytest.mark.parametrize("status", [204, 304])
    def test_some_statuses_have_no_body(self, api: Api, status: int) -> None:
        response = api.answer({"statusCode": status, "body": "x", "headers": {"ETag": '"1"'}})
        assert (response.status_code, response.data, response.headers["ETag"]) == (status, b"", '"1"')

    @given(st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"]), inner
        ),
    ))  # fmt: skip
    def test_any_response_is_accepted_or_refused(self, answer: object) -> None:
        try:
            response = parse_response(json.dumps(answer).encode())
        except MalformedResponse:
            return
        assert isinstance(response.body, str)
        assert all(isinstance(text, str) for pair in response.headers for text in pair)

    def test_an_error_of_the_gateway_is_reported(self, api: Api) -> None:
        api.functions.answers.clear()
        assert api().status_code == 502
        [(name, text)] = api.reports
        assert name == "gateway"
        assert text.endswith("KeyError: 'Thing'")


class TestGatewayResponses:
    def test_a_type_without_a_template_has_the_default_of_its_class(self) -> None:
        headers = {"x-request-id": "context.requestId", "X-Word": "'word'"}
        responses = GatewayResponses(
            {
                DEFAULT_5XX: {
                    "StatusCode": "500",
                    "ResponseParameters": {"Headers": headers},
                    "ResponseTemplates": {"application/json": '{"m": $context.error.messageString}'},
                }
            }
        )
        response = responses.make("AUTHORIZER_FAILURE", "the-id")
        assert (response.status, response.body) == (500, '{"m": "Internal server error"}')
        assert response.headers["x-request-id"] == "the-id"
        assert response.headers["X-Word"] == "word"

    def test_the_defaults_are_those_of_api_gateway(self) -> None:
        assert GatewayResponses({}).make(DEFAULT_5XX, "id").status == 502
        assert GatewayResponses({}).make(MISSING_AUTHENTICATION_TOKEN, "id").status == 403

    def test_the_projects_gateway_responses_are_problem_details(self) -> None:
        responses = GatewayResponses(load_template(ROOT / "template.yaml", {}).gateway_responses)
        for kind in ("DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "ACCESS_DENIED", "REQUEST_TOO_LARGE"):
            response = responses.make(kind, "id")
            assert response.headers["Content-Type"] == "application/problem+json"
            assert json.loads(response.body)["status"] == response.status


def test_sam_cli_has_the_private_names_that_the_gateway_uses() -> None:
    for name in (
        "create", "_construct_error_handling", "_request_handler", "_generate_lambda_event", "_route_key",
        "_generate_lambda_authorizer_event", "_create_method_arn", "_build_v1_context",
    ):  # fmt: skip
        assert hasattr(LocalApigwService, name), (
            f"SAM CLI no longer has {name}: see tools/local/gateway/service.py"
        )
