"""Every endpoint of the HTTP contract, with its errors, over HTTP against the local stack."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import jwt
import pytest
import requests

from shared.users.token_key_rotation import TokenKeyRotation
from tests.local_stack import Client, Stack, sign_up, unique
from tests.template import ROUTES, Route

TASK_FIELDS = {
    *("id", "title", "description", "status", "assignee", "due_at", "labels", "created_at", "updated_at")
}


def assert_problem(response: requests.Response, status: int, *fields: str) -> dict[str, Any]:
    """Check that a response is a problem of this status that names these fields."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    uuid.UUID(response.headers["x-request-id"])
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert [error["field"] for error in problem.get("errors", [])] == list(fields)
    assert all(error["message"] for error in problem.get("errors", []))
    return problem


def assert_unauthorized(response: requests.Response) -> None:
    assert_problem(response, 401)
    assert response.headers["WWW-Authenticate"] == "Bearer"


class TestSignUp:
    def test_creates_a_user(self, anyone: Client) -> None:
        name = unique("Grace.Hopper@navy-").replace(" ", "_")[:32]
        response = anyone("POST", "/auth/create", json={"username": name, "password": "correct horse"})
        assert response.status_code == 201
        user = response.json()
        assert user.keys() == {"id", "username", "created_at"}
        assert user["username"] == name
        assert abs(user["created_at"] - time.time()) < 60
        assert "x-request-id" in response.headers

    def test_a_name_is_taken_in_any_case(self, anyone: Client) -> None:
        body = {"username": "Margaret", "password": "correct horse"}
        assert anyone("POST", "/auth/create", json=body).status_code == 201
        assert_problem(anyone("POST", "/auth/create/", json={**body, "username": "mARGARET"}), 409)

    @pytest.mark.parametrize("name", ["ab", "a" * 33, "a b c", "né.é", "", "abc\n", 123, None])
    def test_refuses_a_bad_name(self, anyone: Client, name: Any) -> None:
        body = {"username": name, "password": "correct horse"}
        assert_problem(anyone("POST", "/auth/create", json=body), 422, "username")

    @pytest.mark.parametrize("password", ["short", "x" * 129, None, 12345678])
    def test_refuses_a_bad_password_without_repeating_it(self, anyone: Client, password: Any) -> None:
        body = {"username": "somebody", "password": password}
        response = anyone("POST", "/auth/create", json=body)
        assert_problem(response, 422, "password")
        assert str(password) not in response.text or password is None

    def test_refuses_unknown_fields(self, anyone: Client) -> None:
        body = {"username": "somebody", "password": "correct horse", "admin": True}
        assert_problem(anyone("POST", "/auth/create", json=body), 422, "admin")

    def test_accepts_the_shortest_and_the_longest(self, anyone: Client) -> None:
        for name, password in [("abc", "x" * 8), ("d" * 32, "é" * 128)]:
            body = {"username": name, "password": password}
            assert anyone("POST", "/auth/create", json=body).status_code == 201
            assert anyone("POST", "/auth/login", data=body).status_code == 200


class TestSignIn:
    @pytest.fixture(scope="class", autouse=True)
    def ada(self, anyone: Client) -> None:
        anyone("POST", "/auth/create", json={"username": "Ada", "password": "correct horse"})

    def test_returns_a_token_that_works(self, anyone: Client) -> None:
        response = anyone("POST", "/auth/login", data={"username": "ada", "password": "correct horse"})
        assert response.status_code == 200
        token = response.json()
        assert token.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "device_token"}
        assert token["token_type"] == "bearer"
        assert token["expires_in"] == 3600
        assert response.headers["Cache-Control"] == "no-store"
        assert Client(anyone.url, token["access_token"])("GET", "/tasks").status_code == 200

    @pytest.mark.parametrize("name", ["ADA", "ada ", "\tada\n"])
    def test_accepts_a_name_in_any_case_and_with_spaces_around_it(self, anyone: Client, name: str) -> None:
        response = anyone("POST", "/auth/login", data={"username": name, "password": "correct horse"})
        assert response.status_code == 200

    def test_accepts_requests_of_oauth_clients(self, anyone: Client) -> None:
        data = {
            "grant_type": "password",
            "username": "ADA",
            "password": "correct horse",
            "scope": "",
            "client_id": "",
        }
        assert anyone("POST", "/auth/login/", data=data, auth=("client", "secret")).status_code == 200

    def test_a_wrong_name_and_a_wrong_password_get_the_same_response(self, anyone: Client) -> None:
        wrong = [("ada", "wrong horse"), ("nobody", "correct horse"), ("né!", "x"), ("x" * 128, "y")]
        problems = [
            assert_problem(anyone("POST", "/auth/login", data={"username": name, "password": password}), 401)
            for name, password in wrong
        ]
        assert all(problem == problems[0] for problem in problems)

    @pytest.mark.parametrize(
        ("data", "fields"),
        [
            ({"username": "ada"}, ["password"]),
            ({"password": "correct horse"}, ["username"]),
            ({"username": "é" * 2000, "password": "correct horse"}, ["username"]),
            ({"username": "", "password": "correct horse"}, ["username"]),
        ],
    )
    def test_refuses_an_incomplete_form(self, anyone: Client, data: Any, fields: list[str]) -> None:
        assert_problem(anyone("POST", "/auth/login", data=data), 422, *fields)

    def test_refuses_other_bodies_than_forms(self, anyone: Client) -> None:
        body = {"username": "ada", "password": "correct horse"}
        problem = assert_problem(anyone("POST", "/auth/login", json=body), 415)
        assert "x-www-form-urlencoded" in problem["detail"]
        assert_problem(anyone("POST", "/auth/login", files=body), 415)


class TestAuthorization:
    @pytest.mark.parametrize("route", [route for route in ROUTES if not route.public], ids=str)
    def test_every_route_that_is_not_public_requires_a_token(self, anyone: Client, route: Route) -> None:
        path = re.sub(r"{\w+}", str(uuid.uuid4()), route.path)
        assert_unauthorized(anyone(route.method, path))
        assert_unauthorized(anyone(route.method, path, headers={"Authorization": "Bearer garbage"}))

    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer ", "garbage", "Basic YTpi", "Bearer a.b.c", "Bearer é", "Token x"]
    )
    def test_garbage_is_unauthorized(self, anyone: Client, header: str) -> None:
        response = anyone("GET", "/tasks", headers={"Authorization": header.encode()})
        assert_unauthorized(response)

    @pytest.mark.parametrize(
        "change",
        [
            {"exp": 1},
            {"exp": None},
            {"iss": "someone else"},
            {"aud": "something else"},
            {"iat": 4_000_000_000},
            {"sub": None},
        ],
    )
    def test_an_invalid_token_is_unauthorized(self, stack: Stack, user: Client, change: Any) -> None:
        token = str(user.session.headers["Authorization"]).removeprefix("Bearer ")
        key = current_key(stack)["SecretString"]
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, key, algorithms=["HS256"], audience="task-api")
        again = jwt.encode(claims, key, algorithm="HS256", headers=header)
        assert Client(user.url, again)("GET", "/tasks").status_code == 200, "the test's key is wrong"
        wrong = {name: value for name, value in (claims | change).items() if value is not None}
        token = jwt.encode(wrong, key, algorithm="HS256", headers=header)
        assert_unauthorized(Client(user.url, token)("GET", "/tasks"))

    def test_a_forged_token_is_unauthorized(self, user: Client) -> None:
        token = str(user.session.headers["Authorization"]).removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        named = {"kid": jwt.get_unverified_header(token)["kid"]}
        other_key = "another key, as long as the right one, and as secret"
        for forged in (
            jwt.encode(claims, other_key, algorithm="HS256"),
            jwt.encode(claims, other_key, algorithm="HS256", headers=named),
            jwt.encode(claims, "", algorithm="none", headers=named),
            token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB"),
        ):
            assert_unauthorized(Client(user.url, forged)("GET", "/tasks"))

    def test_the_scheme_is_case_insensitive(self, user: Client) -> None:
        token = str(user.session.headers["Authorization"]).removeprefix("Bearer ")
        assert (
            Client(user.url)("GET", "/tasks", headers={"Authorization": f"bearer {token}"}).status_code == 200
        )

    def test_a_rotated_key_signs_nobody_out(self, start_stack: Callable[..., Stack]) -> None:
        stack = start_stack("--no-state")
        early = sign_up(stack.url)
        assert early("GET", "/tasks").status_code == 200
        rotation, version = TokenKeyRotation(secrets_manager(stack)), str(uuid.uuid4())
        for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
            rotation.run(step, "TokenSecret", version)
        # Functions sign with the old key for some more minutes; they already accept the new one.
        assert early("GET", "/tasks").status_code == 200
        assert sign_up(stack.url)("GET", "/tasks").status_code == 200
        secret = current_key(stack)
        assert secret["VersionId"] == version
        token = str(early.session.headers["Authorization"]).removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        new = jwt.encode(claims, secret["SecretString"], algorithm="HS256", headers={"kid": version})
        assert Client(stack.url, new)("GET", "/tasks").status_code == 200


def current_key(stack: Stack) -> Any:
    # By default, moto returns the first version.
    return secrets_manager(stack).get_secret_value(SecretId="TokenSecret", VersionStage="AWSCURRENT")


def secrets_manager(stack: Stack) -> Any:
    return boto3.client("secretsmanager", endpoint_url=stack.wait_for(r"AWS\s+(http://\S+)")[1])


class TestCreate:
    def test_returns_the_task(self, user: Client) -> None:
        title = unique("Book the venue")
        response = user("POST", "/tasks", json={"title": f"  {title}\n", "description": "Room for 40"})
        assert response.status_code == 201
        task = response.json()
        assert task.keys() == TASK_FIELDS
        assert (task["title"], task["description"], task["status"]) == (title, "Room for 40", "PENDING")
        assert isinstance(task["created_at"], int)
        assert task["created_at"] == task["updated_at"]
        assert abs(task["created_at"] - time.time()) < 60
        assert response.headers["Location"] == f"{user.url}/tasks/{task['id']}"
        assert user("GET", response.headers["Location"]).json() == task
        assert user("GET", f"/tasks/{task['id']}").headers["ETag"] == response.headers["ETag"]

    def test_accepts_every_field(self, user: Client) -> None:
        fields = {"title": "t" * 200, "description": "d" * 10_000, "status": "COMPLETED"}
        assert user.create(**fields).items() >= fields.items()
        assert user.create("𝔘nicode ✓ 👩‍🚀", description="")["description"] == ""
        assert user.create(description="a\tb\r\nc")["description"] == "a\tb\r\nc"

    def test_a_taken_title_is_a_409(self, user: Client) -> None:
        title = user.create()["title"]
        assert_problem(user("POST", "/tasks/", json={"title": f" {title} "}), 409)

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, ["title"]),
            ({"title": None}, ["title"]),
            ({"title": ""}, ["title"]),
            ({"title": " \t\n"}, ["title"]),
            ({"title": "t" * 201}, ["title"]),
            ({"title": 5}, ["title"]),
            ({"title": "\ud800"}, ["title"]),
            ({"title": "x", "description": "d" * 10_001}, ["description"]),
            ({"title": "x", "status": "DONE"}, ["status"]),
            ({"title": "x", "status": None}, ["status"]),
            ({"title": "x", "id": "mine"}, ["id"]),
            ({"title": "x", "created_by": "mine"}, ["created_by"]),
            ({"title": [], "status": 1, "due": 2}, ["title", "status", "due"]),
            ([], ["body"]),
            ("text", ["body"]),
            (None, ["body"]),
        ],
    )
    def test_refuses_invalid_bodies(self, user: Client, body: Any, fields: list[str]) -> None:
        assert_problem(
            user("POST", "/tasks", json=body) if body is not None else user("POST", "/tasks"), 422, *fields
        )

    @pytest.mark.parametrize(
        "text", ["{", "[" * 100_000, '{"title": ' + "1" * 5_000 + "}", "\ufeff{}", "null", "NaN"]
    )
    def test_refuses_bodies_that_are_not_json(self, user: Client, text: str) -> None:
        headers = {"Content-Type": "application/json"}
        assert_problem(user("POST", "/tasks", data=text.encode(), headers=headers), 422, "body")

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
    )
    def test_refuses_other_media_types(self, user: Client, kind: str) -> None:
        headers = {"Content-Type": kind}
        problem = assert_problem(user("POST", "/tasks", data='{"title": "x"}', headers=headers), 415)
        assert "application/json" in problem["detail"]


class TestRead:
    def test_a_path_works_with_a_trailing_slash(self, user: Client) -> None:
        task = user.create()
        assert user("GET", f"/tasks/{task['id']}/").json() == task

    def test_an_unchanged_task_is_a_304(self, user: Client) -> None:
        path = f"/tasks/{user.create()['id']}"
        tag = user("GET", path).headers["ETag"]
        for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            response = user("GET", path, headers={"If-None-Match": header})
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["ETag"] == tag
            assert "x-request-id" in response.headers
        user("PATCH", path, json={"status": "COMPLETED"})
        assert user("GET", path, headers={"If-None-Match": tag}).status_code == 200

    @pytest.mark.parametrize(
        "task_id", ["7d9f2c1e-5b0a-4c57-9b1e-3f6a2d8c4e10", "1", "a" * 3000, "%00", "..%2F", "é", "TITLE%23x"]
    )
    def test_an_unknown_id_is_not_found(self, user: Client, task_id: str) -> None:
        assert_problem(user("GET", f"/tasks/{task_id}"), 404)
        assert_problem(user("PATCH", f"/tasks/{task_id}", json={"status": "COMPLETED"}), 404)
        assert_problem(user("DELETE", f"/tasks/{task_id}"), 404)


class TestUpdate:
    def test_changes_the_given_fields(self, user: Client) -> None:
        task = user.create(description="first")
        path = f"/tasks/{task['id']}"
        for change in (
            {"status": "IN_PROGRESS"},
            {"title": unique("Renamed")},
            {"description": "second"},
            {"description": None},
            {"title": unique("Again"), "description": "third", "status": "COMPLETED"},
        ):
            before = user("GET", path)
            response = user("PATCH", path, json=change)
            assert response.status_code == 200
            assert response.json() == before.json() | change | {"updated_at": response.json()["updated_at"]}
            assert response.headers["ETag"] != before.headers["ETag"]
            assert user("GET", path).json() == response.json()

    def test_a_change_can_require_a_version(self, user: Client) -> None:
        task = user.create()
        path = f"/tasks/{task['id']}"
        tag = user("GET", path).headers["ETag"]
        ours = user("PATCH", path, json={"description": "ours"}, headers={"If-Match": f'"x", {tag}'})
        assert ours.status_code == 200
        for stale in (tag, f"W/{ours.headers['ETag']}", '"nonsense"', "nonsense", ""):
            response = user("PATCH", path, json={"description": "theirs"}, headers={"If-Match": stale})
            assert_problem(response, 412)
        assert user("PATCH", path, json={"description": "any"}, headers={"If-Match": "*"}).status_code == 200

    def test_a_taken_title_is_a_409(self, user: Client) -> None:
        first, second = user.create(), user.create()
        path = f"/tasks/{second['id']}"
        assert_problem(user("PATCH", path, json={"title": first["title"], "status": "COMPLETED"}), 409)
        assert user("GET", path).json() == second

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, ["body"]),
            ({"title": None}, ["title"]),
            ({"title": "  "}, ["title"]),
            ({"status": None}, ["status"]),
            ({"status": "DONE"}, ["status"]),
            ({"description": "d" * 10_001}, ["description"]),
            ({"id": "mine", "created_at": 0}, ["id", "created_at"]),
            (None, ["body"]),
        ],
    )
    def test_refuses_invalid_bodies(self, user: Client, body: Any, fields: list[str]) -> None:
        task = user.create()
        path = f"/tasks/{task['id']}"
        response = user("PATCH", path, json=body) if body is not None else user("PATCH", path)
        assert_problem(response, 422, *fields)
        assert user("GET", path).json() == task


class TestDelete:
    def test_removes_the_task_and_frees_its_title(self, user: Client) -> None:
        task = user.create()
        path = f"/tasks/{task['id']}"
        response = user("DELETE", path)
        assert (response.status_code, response.content) == (204, b"")
        assert "x-request-id" in response.headers
        assert_problem(user("DELETE", path), 404)
        assert_problem(user("GET", path), 404)
        user.create(task["title"])

    def test_a_deletion_can_require_a_version(self, user: Client) -> None:
        path = f"/tasks/{user.create()['id']}"
        tag = user("GET", path).headers["ETag"]
        user("PATCH", path, json={"status": "COMPLETED"})
        assert_problem(user("DELETE", path, headers={"If-Match": tag}), 412)
        tag = user("GET", path).headers["ETag"]
        assert user("DELETE", path, headers={"If-Match": tag}).status_code == 204


class TestPlanning:
    def test_a_due_date_and_labels_are_kept_changed_and_cleared(self, user: Client) -> None:
        task = user.create(due_at=0, labels=["a", "ß"])
        path = f"/tasks/{task['id']}"
        assert (task["due_at"], task["labels"]) == (0, ["a", "ß"])
        assert user("GET", path).json() == task
        changed = user("PATCH", path, json={"due_at": 253_402_300_799, "labels": ["b"]}).json()
        assert (changed["due_at"], changed["labels"]) == (253_402_300_799, ["b"])
        cleared = user("PATCH", path, json={"due_at": None, "labels": None}).json()
        assert (cleared["due_at"], cleared["labels"]) == (None, [])
        plain = user.create()
        assert (plain["due_at"], plain["labels"]) == (None, [])

    def test_tasks_are_assigned_only_to_users(self, user: Client, stack: Stack) -> None:
        me = user("GET", "/auth/me").json()["username"]
        other = sign_up(stack.url)
        name = other("GET", "/auth/me").json()["username"]
        mine, theirs, free = user.create(assignee="me"), user.create(assignee=name.upper()), user.create()
        assert [task["assignee"] for task in (mine, theirs, free)] == [me, name, None]

        def found(client: Client, assignee: str) -> list[str]:
            listed = client("GET", "/tasks", params={"assignee": assignee, "limit": 100}).json()
            ids = [task["id"] for task in (mine, theirs, free)]
            return [task["id"] for task in listed if task["id"] in ids]

        assert found(user, "me") == found(other, me) == [mine["id"]]
        assert found(other, "me") == found(user, name.upper()) == [theirs["id"]]
        assert found(user, "none") == [free["id"]]
        path = f"/tasks/{mine['id']}"
        assert user("PATCH", path, json={"assignee": name}).json()["assignee"] == name
        for nobody in ("nobody-at-all", "none", "x", "a b c", 7):
            for method, where in (("POST", "/tasks"), ("PATCH", path)):
                body = {"title": unique("Assigned"), "assignee": nobody}
                assert_problem(user(method, where, json=body), 422, "assignee")
        other("POST", "/auth/delete", json={"current_password": "correct horse"})
        assert user("GET", path).json()["assignee"] == name
        assert user("PATCH", path, json={"description": "kept"}).json()["assignee"] == name
        assert_problem(
            user("POST", "/tasks", json={"title": unique("Late"), "assignee": name}), 422, "assignee"
        )
        assert user("PATCH", path, json={"assignee": None}).json()["assignee"] is None

    def test_nobody_can_sign_up_as_none(self, anyone: Client) -> None:
        response = anyone("POST", "/auth/create", json={"username": "None", "password": "correct horse"})
        assert_problem(response, 422, "username")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *[("due_at", value) for value in (-1, 253_402_300_800, 1.5, "1767225600", True, [])],
            *[("labels", value) for value in ([""], [" "], ["x" * 41], ["a", "A"], ["ß", "SS"], "a", [1])],
            ("labels", [str(number) for number in range(11)]),
            ("labels", ["a\tb"]),
            ("labels", ["\u200b"]),
        ],
    )
    def test_invalid_fields_are_named(self, user: Client, field: str, value: Any) -> None:
        for method, path in (("POST", "/tasks"), ("PATCH", f"/tasks/{user.create()['id']}")):
            body = {field: value} if method == "PATCH" else {"title": unique("Never"), field: value}
            response = user(method, path, json=body)
            assert response.status_code == 422
            assert {each["field"].partition(".")[0] for each in response.json()["errors"]} == {field}


class TestList:
    @pytest.fixture(scope="class")
    def tasks(self, user: Client) -> list[dict[str, Any]]:
        """The only seven tasks, newest first."""
        for task in every_task(user):
            assert user("DELETE", f"/tasks/{task['id']}").status_code == 204
        statuses = ["PENDING", "COMPLETED", "IN_PROGRESS", "PENDING", "PENDING", "COMPLETED", "PENDING"]
        return [user.create(status=status) for status in statuses][::-1]

    def test_is_newest_first(self, user: Client, tasks: list[Any]) -> None:
        response = user("GET", "/tasks")
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.json() == tasks
        assert "Link" not in response.headers
        assert user("GET", "/tasks/").json() == tasks

    def test_skip_and_limit(self, user: Client, tasks: list[Any]) -> None:
        for skip, limit in [(0, 1), (0, 7), (2, 3), (6, 5), (7, 1), (10_000, 100)]:
            response = user("GET", "/tasks", params={"skip": skip, "limit": limit})
            assert response.json() == tasks[skip : skip + limit]
            assert ("next" in response.links) == (skip + limit < len(tasks))

    def test_follows_links_and_keeps_filters(self, user: Client, tasks: list[Any]) -> None:
        response = user(
            "GET", "/tasks/", params={"status": "PENDING", "limit": 2, "created_at": 4_000_000_000.5}
        )
        assert response.json() == [task for task in tasks if task["status"] == "PENDING"][:2]
        link = response.links["next"]["url"]
        assert link.startswith(f"{user.url}/tasks?")
        response = user("GET", link)
        assert response.json() == [task for task in tasks if task["status"] == "PENDING"][2:]
        assert "next" not in response.links

    def test_filters_can_be_combined(self, user: Client, tasks: list[Any]) -> None:
        marked = user.create("Café İstanbul", due_at=1_767_225_600, labels=["Home", " next week "])
        assert marked["labels"] == ["Home", "next week"]
        for params in (
            {"label": "home"},
            {"due_before": 1_767_225_601},
            {"due_after": 1_767_225_599},
            {"q": "CAFE"},
            {"q": "cafe\u0301"},
            {"q": " istanbul "},
            {"q": "É İ", "label": "NEXT WEEK", "due_after": 0, "status": "PENDING", "created_at": 4e9},
        ):
            assert user("GET", "/tasks", params=params).json() == [marked], params
        for params in (
            {"label": "hom"},
            {"due_before": 1_767_225_600},
            {"due_after": 1_767_225_600},
            {"due_after": 2, "due_before": 1},
            {"q": "cafe", "status": "COMPLETED"},
            {"q": "x" * 200},
        ):
            assert user("GET", "/tasks", params=params).json() == [], params
        user("DELETE", f"/tasks/{marked['id']}")

    def test_sorts_by_due_date(self, user: Client, tasks: list[Any]) -> None:
        dates = {"Third": 3_000, "First": 1_000, "Tie": 2_000, "Other tie": 2_000, "Last": 253_402_300_799}
        planned = [user.create(title, due_at=due_at, labels=["sorted"]) for title, due_at in dates.items()]
        expected = sorted(planned, key=lambda task: (task["due_at"], task["id"]))
        params = {"sort": "due_at", "limit": 2, "label": "SORTED"}
        first = user("GET", "/tasks", params=params)
        assert first.json() == expected[:2]
        second = user("GET", first.links["next"]["url"])
        third = user("GET", second.links["next"]["url"])
        assert [*second.json(), *third.json()] == expected[2:]
        assert "next" not in third.links
        user("PATCH", f"/tasks/{expected[0]['id']}", json={"due_at": None})
        of_all = user("GET", "/tasks", params={"sort": "due_at", "due_after": 1_000, "due_before": 3_001})
        assert of_all.json() == expected[1:4]
        cursor = parse_qs(urlsplit(first.links["next"]["url"]).query)["cursor"][0]
        assert_problem(user("GET", "/tasks", params={"cursor": cursor}), 422, "cursor")
        for task in planned:
            user("DELETE", f"/tasks/{task['id']}")

    def test_a_next_link_does_not_skip_again(self, user: Client, tasks: list[Any]) -> None:
        response = user("GET", "/tasks", params={"skip": 2, "limit": 2})
        assert user("GET", response.links["next"]["url"]).json() == tasks[4:6]

    def test_a_cursor_works_after_its_task_is_deleted(self, user: Client, tasks: list[Any]) -> None:
        newest = user.create()
        response = user("GET", "/tasks", params={"limit": 1})
        assert response.json() == [newest]
        user("DELETE", f"/tasks/{newest['id']}")
        assert user("GET", response.links["next"]["url"]).json() == tasks[:1]

    def test_created_at_keeps_tasks_created_before(self, user: Client, tasks: list[Any]) -> None:
        now = time.time() + 1
        assert user("GET", "/tasks", params={"created_at": now}).json() == tasks
        assert user("GET", "/tasks", params={"created_at": 0}).json() == []
        assert user("GET", "/tasks", params={"created_at": tasks[-1]["created_at"]}).json() == []
        assert user("GET", "/tasks", params={"created_at": tasks[0]["created_at"] + 1}).json() == tasks

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *[("limit", value) for value in ("0", "101", "-1", "x", "", "1.5")],
            *[("skip", value) for value in ("-1", "10001", "x")],
            *[("status", value) for value in ("DONE", "pending", "")],
            *[
                ("created_at", value)
                for value in ("yesterday", "-1", "nan", "inf", "1e400", "1767225600000", "")
            ],
            *[("label", value) for value in ("", " ", "x" * 41)],
            *[("q", value) for value in ("", " ", "x" * 201)],
            *[("due_before", value) for value in ("x", "-1", "1.5", "253402300800")],
            *[("sort", value) for value in ("title", "-due_at", "DUE_AT", "")],
            *[("cursor", value) for value in ("x", "", "é", "A" * 2000, "MTIzLzQ1Ng==")],
        ],
    )
    def test_refuses_bad_parameters(self, user: Client, field: str, value: str) -> None:
        assert_problem(user("GET", "/tasks", params={field: value}), 422, field)

    def test_refuses_two_cursors(self, user: Client) -> None:
        assert_problem(user("GET", "/tasks?cursor=a&cursor=b"), 422, "cursor")

    def test_names_every_bad_parameter(self, user: Client) -> None:
        params = {"limit": 0, "skip": -1, "status": "X"}
        assert_problem(user("GET", "/tasks", params=params), 422, "status", "skip", "limit")


def every_task(user: Client) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    url: str | None = "/tasks?limit=100"
    while url:
        response = user("GET", url)
        tasks += response.json()
        url = response.links.get("next", {}).get("url")
    return tasks


class TestGateway:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("PUT", "/"), ("GET", "/nope"), ("PUT", "/tasks"), ("DELETE", "/tasks"), ("GET", "/auth/login")],
    )
    def test_an_unknown_route_is_not_found(self, anyone: Client, method: str, path: str) -> None:
        assert_problem(anyone(method, path), 404)

    def test_refuses_bodies_that_are_not_utf_8(self, user: Client) -> None:
        headers = {"Content-Type": "application/json"}
        assert_problem(user("POST", "/tasks", data=b'{"title": "\xff"}', headers=headers), 400)

    def test_every_request_has_its_own_id(self, user: Client, anyone: Client) -> None:
        path = f"/tasks/{user.create()['id']}"
        ids = [client("GET", path).headers["x-request-id"] for client in (user, anyone) for _ in range(3)]
        assert len(set(ids)) == 6

    def test_header_names_are_spelled_as_documented(self, user: Client, anyone: Client) -> None:
        found = user("GET", f"/tasks/{user.create()['id']}")
        assert {"ETag", "x-request-id", "Access-Control-Allow-Origin"} <= set(found.raw.headers)
        assert "WWW-Authenticate" in set(anyone("GET", "/tasks").raw.headers)


class TestDocs:
    def test_the_document_names_the_url_that_serves_it(self, anyone: Client) -> None:
        response = anyone("GET", "/openapi.json")
        assert response.status_code == 200
        document = response.json()
        assert [server["url"] for server in document["servers"]] == [anyone.url]
        assert list(document["paths"])[:2] == ["/auth/create", "/auth/login"]

    def test_the_page_is_served(self, anyone: Client) -> None:
        response = anyone("GET", "/docs/")
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "SwaggerUIBundle" in response.text

    def test_the_page_links_to_the_document(self, anyone: Client) -> None:
        root = urlsplit(anyone.url).path
        assert f'updateUrl("{root}/openapi.json")' in anyone("GET", "/docs").text
