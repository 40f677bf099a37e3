"""What HTTP clients rely on: retries, conditional requests, OAuth 2, CORS and Unicode text."""

from __future__ import annotations

import http.client
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from oauthlib.oauth2 import InvalidGrantError, LegacyApplicationClient
from requests_oauthlib import OAuth2Session as RequestsOAuth2Session

from tests.contract.test_contract import assert_problem
from tests.local_stack import Client, Stack, sign_up, unique

PASSWORD = "correct horse"
ORIGIN = {"Origin": "http://localhost:8080"}
Create = Callable[..., requests.Response]


class TestRetries:
    @pytest.fixture
    def create(self, user: Client) -> Create:
        key = str(uuid.uuid4())

        def create(by: Client = user, key: str = key, **body: Any) -> requests.Response:
            return by("POST", "/tasks", json=body, headers={"Idempotency-Key": key})

        return create

    def test_a_repeated_request_replays_the_first_response(self, user: Client, create: Create) -> None:
        title = unique("Once")
        first = create(title=title, description="x")
        again = create(title=f" {title} ", description="x", status="PENDING")
        assert first.status_code == again.status_code == 201
        assert first.json() == again.json()
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        for name in ("ETag", "Location"):
            assert first.headers[name] == again.headers[name]
        user("DELETE", first.headers["Location"])
        assert create(title=title, description="x").json() == first.json()

    def test_another_body_is_refused(self, create: Create) -> None:
        create(title=unique("Once"))
        assert_problem(create(title=unique("Twice")), 422, "Idempotency-Key")

    def test_a_key_belongs_to_its_user(self, user: Client, create: Create) -> None:
        title = unique("Once")
        assert create(title=title).status_code == 201
        other = sign_up(user.url)
        assert_problem(create(by=other, title=title), 409)
        assert "Idempotency-Replayed" not in create(by=other, title=unique("Mine")).headers

    @pytest.mark.parametrize("key", ["", "x" * 256, "with space", "é"])
    def test_refuses_a_bad_key(self, create: Create, key: str) -> None:
        response = create(key=key.encode(), title=unique("Once"))
        assert_problem(response, 422, "Idempotency-Key")

    def test_concurrent_requests_with_one_key_create_one_task(self, user: Client, create: Create) -> None:
        title = unique("Once")
        with ThreadPoolExecutor(8) as threads:
            responses = list(
                threads.map(lambda _: create(by=Client(user.url, user.token), title=title), range(8))
            )
        assert {response.status_code for response in responses} == {201}
        assert len({response.text for response in responses}) == 1

    def test_a_taken_title_names_its_task(self, user: Client) -> None:
        milk, bread = user.create(), user.create()
        for response in (
            user("POST", "/tasks", json={"title": milk["title"]}),
            user("PATCH", f"/tasks/{bread['id']}", json={"title": milk["title"]}),
        ):
            assert assert_problem(response, 409)["task_id"] == milk["id"]


class TestAccount:
    @pytest.fixture
    def name(self, anyone: Client) -> str:
        name = unique("Account").replace(" ", "-")
        body = {"username": name, "password": PASSWORD}
        assert anyone("POST", "/auth/create", json=body).status_code == 201
        return name

    @staticmethod
    def login(anyone: Client, name: str, password: str = PASSWORD) -> requests.Response:
        return anyone("POST", "/auth/login", data={"username": name, "password": password})

    def test_returns_the_signed_in_user(self, anyone: Client, name: str) -> None:
        token = self.login(anyone, name.upper()).json()["access_token"]
        me = Client(anyone.url, token)("GET", "/auth/me").json()
        assert me.keys() == {"id", "username", "created_at"}
        assert me["username"] == name
        assert abs(me["created_at"] - time.time()) < 60

    def test_a_password_matches_in_any_normal_form(self, anyone: Client) -> None:
        name = unique("Typist").replace(" ", "-")
        body = {"username": name, "password": "cafe\u0301 au lait"}
        assert anyone("POST", "/auth/create", json=body).status_code == 201
        assert self.login(anyone, name, "caf\u00e9 au lait").status_code == 200


class TestOAuth:
    @pytest.fixture(scope="class")
    def name(self, anyone: Client) -> str:
        body = {"username": "oauth-user", "password": PASSWORD}
        anyone("POST", "/auth/create", json=body)
        return "oauth-user"

    def test_authlib_signs_in_and_raises_for_a_wrong_password(self, anyone: Client, name: str) -> None:
        session = OAuth2Session(token_endpoint_auth_method="none")
        url = f"{anyone.url}/auth/login"
        session.fetch_token(url, username=name, password=PASSWORD)
        assert session.get(f"{anyone.url}/tasks").status_code == 200
        with pytest.raises(OAuthError, match="invalid_grant"):
            session.fetch_token(url, username=name, password="wrong horse")

    def test_requests_oauthlib_signs_in_and_raises_for_a_wrong_password(
        self, anyone: Client, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
        session = RequestsOAuth2Session(client=LegacyApplicationClient("any"))
        url = f"{anyone.url}/auth/login"
        session.fetch_token(url, username=name, password=PASSWORD)
        assert session.get(f"{anyone.url}/tasks").status_code == 200
        with pytest.raises(InvalidGrantError):
            session.fetch_token(url, username=name, password="wrong horse")

    @pytest.mark.parametrize(
        ("form", "status", "error"),
        [
            ({"username": "nobody", "password": "x"}, 401, "invalid_grant"),
            ({"username": "nobody"}, 422, "invalid_request"),
            ({"grant_type": "implicit", "username": "a", "password": "b"}, 400, "unsupported_grant_type"),
            ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
            ({"grant_type": "", "username": "nobody", "password": "x"}, 401, "invalid_grant"),
            (
                {"grant_type": ["password", "password"], "username": "x", "password": "x"},
                422,
                "invalid_request",
            ),
            (b"username=nobody&password=%ff", 422, "invalid_request"),
        ],
    )
    def test_errors_have_codes_of_oauth(self, anyone: Client, form: Any, status: int, error: str) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        response = anyone("POST", "/auth/login", data=form, headers=headers)
        assert response.status_code == status
        problem = response.json()
        assert problem["error"] == error
        assert problem["error_description"] == problem["detail"]

    def test_a_response_with_a_token_must_not_be_cached(self, anyone: Client, name: str) -> None:
        response = anyone("POST", "/auth/login", data={"username": name, "password": PASSWORD})
        assert (response.headers["Cache-Control"], response.headers["Pragma"]) == ("no-store", "no-cache")

    def test_another_media_type_is_an_invalid_request(self, anyone: Client) -> None:
        assert anyone("POST", "/auth/login", json={}).json()["error"] == "invalid_request"


class TestOtherOrigins:
    def test_a_preflight_needs_no_token(self, anyone: Client) -> None:
        headers = {
            **ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type,if-match",
        }
        response = anyone("OPTIONS", f"/tasks/{uuid.uuid4()}", headers=headers)
        assert response.status_code in {200, 204}
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
        allowed = response.headers["Access-Control-Allow-Headers"].lower()
        assert {"authorization", "content-type", "if-match", "idempotency-key"} <= set(
            re.split(", *", allowed)
        )

    def test_the_origin_can_be_restricted(self, start_stack: Callable[..., Stack]) -> None:
        origin = "https://app.example.com"
        stack = start_stack("--no-state", "--parameter", f"CorsOrigin={origin}", "--allow-origin", origin)
        for path, status in (("/tasks", 401), ("/docs", 200)):
            response = Client(stack.url)("GET", path, headers={"Origin": origin})
            assert response.status_code == status
            assert response.headers["Access-Control-Allow-Origin"] == origin


class TestText:
    @pytest.mark.parametrize(
        "title",
        ["", "   ", "\u200b", "\u3164", "\u00ad\u2060", "\u0301", "a\nb", "a\u0000b", "\x7f", "a\u2028b"],
    )
    def test_refuses_invisible_titles_and_line_breaks(self, user: Client, title: str) -> None:
        assert_problem(user("POST", "/tasks", json={"title": title}), 422, "title")
        path = f"/tasks/{user.create()['id']}"
        assert_problem(user("PATCH", path, json={"title": title}), 422, "title")

    @pytest.mark.parametrize("character", ["\U0001fae8", "\U0001fae9", "\uf8ff"])
    def test_characters_newer_than_python_are_visible(self, user: Client, character: str) -> None:
        path = f"/tasks/{user.create()['id']}"
        response = user("PATCH", path, json={"title": character})
        assert response.status_code in {200, 409}  # 409 if an earlier test run took the title

    def test_titles_are_unique_across_normal_forms(self, user: Client) -> None:
        title = unique("Caf\u00e9")
        assert user.create(unique("x") + " e\u0301")["title"].endswith("\u00e9")
        user.create(title)
        decomposed = title.replace("\u00e9", "e\u0301")
        assert_problem(user("POST", "/tasks", json={"title": decomposed}), 409)

    def test_refuses_control_characters_in_a_description(self, user: Client) -> None:
        body = {"title": unique("x"), "description": "a\u0007b"}
        assert_problem(user("POST", "/tasks", json=body), 422, "description")

    def test_counts_characters_after_composing(self, user: Client) -> None:
        assert len(user.create("e\u0301" * 150 + unique(""))["title"]) <= 200

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("created_at", "1_000"),
            ("created_at", "1e3"),
            ("created_at", "+1"),
            ("created_at", "-1"),
            ("created_at", " 1"),
            ("created_at", "1."),
            ("created_at", "NaN"),
            ("created_at", "٣"),
            ("limit", "1_0"),
            ("limit", "5.0"),
            ("limit", "+5"),
            ("skip", "٣"),
            ("skip", "0x1"),
        ],
    )
    def test_numbers_are_decimal_digits(self, user: Client, name: str, value: str) -> None:
        assert_problem(user("GET", "/tasks", params={name: value}), 422, name)


class TestHttp:
    def test_an_unknown_parameter_is_refused(self, user: Client) -> None:
        path = f"/tasks/{user.create()['id']}"
        for method, where in (("GET", "/tasks"), ("GET", path), ("DELETE", path), ("GET", "/auth/me")):
            assert_problem(user(method, where, params={"nope": "1"}), 422, "nope")
        assert_problem(user("POST", "/tasks?nope=1", json={"title": unique("x")}), 422, "nope")

    def test_a_status_can_be_repeated(self, user: Client) -> None:
        statuses = ("PENDING", "IN_PROGRESS", "COMPLETED")
        ids = [user.create(status=status)["id"] for status in statuses]
        listed = user("GET", "/tasks?status=COMPLETED&status=PENDING&status=COMPLETED&limit=3").json()
        assert [task["id"] for task in listed][:2] == [ids[2], ids[0]]
        first = user("GET", "/tasks?status=COMPLETED&status=PENDING&limit=1")
        assert first.links["next"]["url"].count("status=") == 2
        assert user("GET", first.links["next"]["url"]).json()[0]["id"] == ids[0]
        assert_problem(user("GET", "/tasks?status=PENDING&status=LOST"), 422, "status")

    def test_an_unchanged_list_is_a_304(self, user: Client) -> None:
        user.create()
        first = user("GET", "/tasks")
        tag = first.headers["ETag"]
        assert tag.startswith('W/"')
        again = user("GET", "/tasks", headers={"If-None-Match": tag})
        assert (again.status_code, again.text, again.headers["ETag"]) == (304, "", tag)
        user.create()
        assert user("GET", "/tasks", headers={"If-None-Match": tag}).status_code == 200

    def test_a_merge_patch_is_taken(self, user: Client) -> None:
        path = f"/tasks/{user.create(description='x')['id']}"
        headers = {"Content-Type": "application/merge-patch+json; charset=utf-8"}
        response = user("PATCH", path, data='{"description": null}', headers=headers)
        assert response.json()["description"] is None
        assert_problem(user("POST", "/tasks", data='{"title": "x"}', headers=headers), 415)

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("text/plain", ""),
            ("application/json; charset=utf-16", '{"title": "x"}'),
            ('application/json; charset="ISO-8859-1"', '{"title": "x"}'),
        ],
    )
    def test_json_that_is_not_utf_8_is_refused(self, user: Client, content_type: str, body: str) -> None:
        response = user("POST", "/tasks", data=body, headers={"Content-Type": content_type})
        assert_problem(response, 415)

    def test_a_patch_that_changes_nothing_keeps_the_tag(self, user: Client) -> None:
        task = user.create()
        path = f"/tasks/{task['id']}"
        tag = user("GET", path).headers["ETag"]
        response = user("PATCH", path, json={"title": f" {task['title']} ", "status": "PENDING"})
        assert response.json() == task
        assert response.headers["ETag"] == tag
        wrong = user("PATCH", path, json={"status": "PENDING"}, headers={"If-Match": '"9"'})
        assert_problem(wrong, 412)

    def test_repeated_header_lines_are_one_list(self, user: Client) -> None:
        path = f"/tasks/{user.create()['id']}"
        connection = http.client.HTTPConnection(urlsplit(user.url).netloc, timeout=10)
        connection.putrequest("GET", path)
        connection.putheader("Authorization", f"Bearer {user.token}")
        connection.putheader("If-None-Match", '"7"')
        connection.putheader("If-None-Match", '"1"')
        connection.endheaders()
        assert connection.getresponse().status == 304
        connection.close()

    def test_a_422_lists_at_most_20_errors(self, user: Client) -> None:
        body = {"title": "x", **{f"{'n' * 500}{number}": 1 for number in range(2_000)}}
        response = user("POST", "/tasks", json=body)
        assert response.status_code == 422
        assert len(response.json()["errors"]) == 20
        assert len(response.content) < 10_000

    def test_a_list_of_the_largest_tasks_is_served(self, user: Client) -> None:
        label = unique("large")
        for character in ("\U0001f5d3", '"', "\\", "\n"):
            for _ in range(25):
                user.create(unique(character * 20), description=character * 10_000, labels=[label])
        tasks, url = [], f"/tasks?limit=100&label={label}"
        while url:
            response = user("GET", url)
            assert response.status_code == 200
            tasks += response.json()
            url = response.links.get("next", {}).get("url")
        for task in tasks:
            user("DELETE", f"/tasks/{task['id']}")
        assert len(tasks) == len({task["id"] for task in tasks}) == 100

    def test_an_unchanged_document_is_a_304(self, anyone: Client) -> None:
        for path in ("/", "/docs", "/openapi.json"):
            tag = anyone("GET", path).headers["ETag"]
            assert anyone("GET", path, headers={"If-None-Match": tag}).status_code == 304


class TestGateway:
    """Behavior of API Gateway that the template configures, and that `sam local` lacks."""

    def test_its_errors_have_codes_of_oauth(self, anyone: Client) -> None:
        for body in (b"username=\xff", b"x" * (10 * 1024 * 1024 + 1)):
            problem = anyone("POST", "/auth/login", data=body).json()
            assert problem["error"] == "invalid_request"
            assert problem["error_description"] == problem["detail"]

    def test_other_origins_may_read_every_response(self, user: Client, anyone: Client) -> None:
        responses = [
            user("GET", "/tasks", headers=ORIGIN),
            user("GET", f"/tasks/{uuid.uuid4()}", headers=ORIGIN),
            user("POST", "/tasks", json={}, headers=ORIGIN),
            anyone("GET", "/tasks", headers=ORIGIN),
            anyone("GET", "/nope", headers=ORIGIN),
        ]
        assert [response.status_code for response in responses] == [200, 404, 422, 401, 404]
        assert {response.headers["Access-Control-Allow-Origin"] for response in responses} == {"*"}
        exposed = responses[0].headers["Access-Control-Expose-Headers"]
        assert {"ETag", "Link", "Location", "Retry-After", "x-request-id"} <= set(exposed.split(", "))

    def test_the_documentation_is_compressed(self, anyone: Client) -> None:
        assert anyone("GET", "/docs").headers["Content-Encoding"] == "gzip"

    def test_a_malformed_token_calls_no_function(self, stack: Stack, anyone: Client) -> None:
        header = "Bearer garbage-that-is-no-token"
        response = anyone("GET", "/tasks", headers={"Authorization": header})
        assert assert_problem(response, 401)["detail"].startswith("Sign in")
