"""Sessions, API keys and accounts over HTTP, with the OAuth libraries that people use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from requests_oauthlib import OAuth2Session as RequestsOAuth2Session

from tests.contract.test_contract import assert_problem
from tests.local_stack import Client, Stack, sign_up, unique

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def anyone() -> Iterator[Client]:
    """A client of a stack that caches no policies, so tokens of ended sessions are refused at once."""
    stack = Stack("--no-state", "--no-authorizer-cache")
    yield Client(stack.url)
    stack.stop()


@pytest.fixture
def name(anyone: Client) -> str:
    name = unique("ada").replace(" ", "_")
    assert anyone("POST", "/auth/create", json={"username": name, "password": PASSWORD}).status_code == 201
    return name


SignIn = Callable[..., dict[str, Any]]


@pytest.fixture
def sign_in(anyone: Client, name: str) -> SignIn:
    def sign_in(password: str = PASSWORD, **form: str) -> dict[str, Any]:
        response = anyone("POST", "/auth/login", data={"username": name, "password": password, **form})
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens

    return sign_in


@pytest.fixture
def ada(anyone: Client, sign_in: SignIn) -> Client:
    return Client(anyone.url, sign_in()["access_token"])


class TestSessions:
    def test_a_refresh_token_gets_new_tokens_that_work(self, anyone: Client, sign_in: SignIn) -> None:
        first = sign_in()
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        for client_field in ({}, {"scope": "", "client_id": "x"}):
            second = anyone("POST", "/auth/login", data=form | client_field)
            assert second.status_code == 200
            assert second.headers["Cache-Control"] == "no-store"
            assert second.json().keys() == first.keys()
            for tokens in (first, second.json()):
                assert Client(anyone.url, tokens["access_token"])("GET", "/auth/me").status_code == 200

    @pytest.mark.parametrize("token", ["garbage", "a.b.c", ".".join(["x" * 43] * 3)])
    def test_an_invalid_refresh_token_is_an_invalid_grant(self, anyone: Client, token: str) -> None:
        response = anyone("POST", "/auth/login", data={"grant_type": "refresh_token", "refresh_token": token})
        assert_problem(response, 400)
        assert response.json()["error"] == "invalid_grant"

    def test_a_grant_without_its_fields_names_them(self, anyone: Client) -> None:
        refused = anyone("POST", "/auth/login", data={"grant_type": "refresh_token", "username": "ada"})
        assert_problem(refused, 422, "refresh_token")

    def test_authlib_refreshes_by_itself(self, anyone: Client, name: str) -> None:
        updates: list[str] = []
        with OAuth2Session(
            token_endpoint=f"{anyone.url}/auth/login",
            token_endpoint_auth_method="none",
            update_token=lambda token, refresh_token: updates.append(refresh_token),
        ) as session:
            token = session.fetch_token(username=name, password=PASSWORD)
            session.token = {**token, "expires_at": 1}
            assert session.get(f"{anyone.url}/auth/me").json()["username"] == name
        assert updates == [token["refresh_token"]]

    def test_requests_oauthlib_refreshes_by_itself(
        self, anyone: Client, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
        updates: list[dict[str, Any]] = []
        with RequestsOAuth2Session(
            token={**sign_in(), "expires_in": -1},
            auto_refresh_url=f"{anyone.url}/auth/login",
            token_updater=updates.append,
        ) as session:
            assert session.get(f"{anyone.url}/auth/me").status_code == 200
        assert updates[0]["refresh_token"]

    @pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
    def test_signing_out_ends_the_session_of_a_token(
        self, anyone: Client, sign_in: SignIn, kind: str
    ) -> None:
        mine, other = sign_in(), sign_in()
        for token in (mine[kind], mine[kind], "garbage", "tsk_x"):
            form = {"token": token, "token_type_hint": kind}
            response = anyone("POST", "/auth/revoke", data=form)
            assert (response.status_code, response.content) == (200, b"")
        assert Client(anyone.url, mine["access_token"])("GET", "/tasks").status_code == 401
        form = {"grant_type": "refresh_token", "refresh_token": mine["refresh_token"]}
        assert anyone("POST", "/auth/login", data=form).status_code == 400
        assert Client(anyone.url, other["access_token"])("GET", "/tasks").status_code == 200

    def test_a_new_password_ends_all_other_sessions(self, anyone: Client, sign_in: SignIn) -> None:
        mine, other = (Client(anyone.url, sign_in()["access_token"]) for _ in range(2))
        change = {"current_password": PASSWORD, "new_password": "another horse"}
        assert_problem(mine("POST", "/auth/password", json={**change, "current_password": "wrong"}), 403)
        short = {**change, "new_password": "short"}
        assert_problem(mine("POST", "/auth/password", json=short), 422, "new_password")
        assert mine("POST", "/auth/password", json=change).status_code == 204
        assert [client("GET", "/auth/me").status_code for client in (mine, other)] == [200, 401]
        sign_in("another horse")

    def test_a_known_device_is_not_slowed_by_strangers(
        self, anyone: Client, name: str, sign_in: SignIn
    ) -> None:
        device = sign_in()["device_token"]
        guess = {"username": name, "password": "guess"}
        statuses = {anyone("POST", "/auth/login", data=guess).status_code for _ in range(25)}
        assert statuses == {401, 429}
        assert anyone("POST", "/auth/login", data={**guess, "password": PASSWORD}).status_code == 429
        assert sign_in(device_token=device)["access_token"]
        refused = anyone("POST", "/auth/login", data={**guess, "password": PASSWORD, "device_token": "x.y.z"})
        assert refused.status_code == 429


class TestKeys:
    def test_a_program_works_with_a_key_until_it_is_deleted(self, ada: Client) -> None:
        created = ada("POST", "/auth/keys", json={"name": " report ", "scope": "write"})
        assert created.status_code == 201
        assert created.headers["Cache-Control"] == "no-store"
        secret = created.json().pop("key")
        (listed,) = ada("GET", "/auth/keys").json()
        assert listed == {name: value for name, value in created.json().items() if name != "key"}
        assert (listed["name"], listed["scope"], listed["expires_at"]) == ("report", "write", None)
        program = Client(ada.url, secret)
        task = program.create()
        assert program("GET", f"/tasks/{task['id']}").status_code == 200
        assert ada("DELETE", f"/auth/keys/{listed['id']}").status_code == 204
        assert program("GET", "/tasks").status_code == 401
        assert_problem(ada("DELETE", f"/auth/keys/{listed['id']}"), 404)

    def test_keys_are_limited_to_their_scope(self, ada: Client) -> None:
        keys = [
            ada("POST", "/auth/keys", json={"name": scope, "scope": scope}).json()["key"]
            for scope in ("read", "write")
        ]
        reader, writer = (Client(ada.url, key) for key in keys)
        assert reader("GET", "/tasks").status_code == reader("GET", "/users").status_code == 200
        for refused in (
            reader("POST", "/tasks", json={"title": "x"}),
            reader("POST", "/tasks", json={"nonsense": 1}),
            writer("GET", "/auth/me"),
            writer("POST", "/auth/keys", json={"name": "another", "scope": "write"}),
        ):
            assert_problem(refused, 403)
            assert refused.json()["error"] == "insufficient_scope"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"scope": "read"}, "name"),
            ({"name": "\u200b", "scope": "read"}, "name"),
            ({"name": "x" * 101, "scope": "read"}, "name"),
            ({"name": "x", "scope": "admin"}, "scope"),
            ({"name": "x", "scope": "read", "expires_at": 1}, "expires_at"),
            ({"name": "x", "scope": "read", "expires_at": "soon"}, "expires_at"),
            ({"name": "x", "scope": "read", "expires_at": 10**15}, "expires_at"),
            ({"name": "x", "scope": "read", "key": "mine"}, "key"),
        ],
    )
    def test_refuses_invalid_bodies(self, ada: Client, body: Any, field: str) -> None:
        assert_problem(ada("POST", "/auth/keys", json=body), 422, field)

    def test_a_user_has_at_most_25_keys(self, ada: Client) -> None:
        body = {"name": "one of many", "scope": "read", "expires_at": 253402300799}
        statuses = [ada("POST", "/auth/keys", json=body).status_code for _ in range(25)]
        assert set(statuses) == {201}
        assert_problem(ada("POST", "/auth/keys", json=body), 409)
        assert len(ada("GET", "/auth/keys").json()) == 25


class TestAccounts:
    def test_a_deleted_account_leaves_its_tasks_and_its_name(
        self, anyone: Client, name: str, ada: Client
    ) -> None:
        task, key = ada.create(), ada("POST", "/auth/keys", json={"name": "x", "scope": "read"}).json()["key"]
        assert_problem(ada("POST", "/auth/delete", json={"current_password": "wrong"}), 403)
        assert ada("POST", "/auth/delete", json={"current_password": PASSWORD}).status_code == 204
        for token in (ada.token, key):
            assert Client(anyone.url, token)("GET", "/tasks").status_code == 401
        credentials = {"username": name, "password": PASSWORD}
        assert anyone("POST", "/auth/login", data=credentials).status_code == 401
        assert_problem(anyone("POST", "/auth/create", json=credentials), 409)
        assert sign_up(anyone.url)("GET", f"/tasks/{task['id']}").status_code == 200

    def test_users_are_listed_page_by_page(self, anyone: Client, ada: Client) -> None:
        prefix = unique("zoe").replace(" ", "_")
        names = [f"{prefix}_{number}" for number in range(5)]
        for name in names:
            anyone("POST", "/auth/create", json={"username": name, "password": PASSWORD})
        found, url = [], f"/users?prefix={prefix.upper()}&limit=2"
        while url:
            page = ada("GET", url)
            assert page.status_code == 200
            found += [user["username"] for user in page.json()]
            url = page.links.get("next", {}).get("url", "")
            assert not url or parse_qs(urlsplit(url).query)["limit"] == ["2"]
        assert found == names

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=101", "cursor=x", "cursor=MQ", "prefix=", "color=red"]
    )
    def test_refuses_bad_parameters(self, ada: Client, query: str) -> None:
        assert_problem(ada("GET", f"/users?{query}"), 422, query.partition("=")[0])
