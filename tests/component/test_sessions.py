"""Sessions: refresh tokens rotate; a retry or a second tab may use one again within a minute."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

import boto3
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRefreshToken, RefreshTokenReused, SessionEnded, TooManyAttempts
from shared.logs import forget, masked
from shared.users.refresh_tokens import RefreshToken
from shared.users.sessions import Session, Sessions, session_key
from shared.users.store import UserStore
from shared.users.table import UsersTable
from shared.users.token_keys import TokenKey, TokenKeys
from shared.users.user import Identity
from tests.aws import empty_tables

pytestmark = pytest.mark.usefixtures("quick_passwords")

PASSWORD = "correct horse"
MINUTE, DAY = 60, 86_400


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("shared.users.sessions.time", clock)
    return clock


class Keys(TokenKeys):
    """Signing keys without Secrets Manager. Execution environments may sign with different ones."""

    ALL: ClassVar = {id_: TokenKey(id_, 48 * id_) for id_ in "abc"}

    def __init__(self, current: str) -> None:
        self._id = current

    def current(self) -> TokenKey:
        return self.ALL[self._id]

    def find(self, key_id: str) -> TokenKey | None:
        return self.ALL.get(key_id)


@pytest.fixture
def table(dynamodb: Any, clock: Clock) -> UsersTable:
    return UsersTable(dynamodb)


class Owner:
    """A user who signs in and refreshes tokens."""

    def __init__(self, table: UsersTable) -> None:
        self.table, self.users, self.sessions = table, UserStore(table), Sessions(table)
        self.users.create("ada", PASSWORD)

    def sign_in(self) -> tuple[Session, RefreshToken]:
        _, session, token = self.users.sign_in("ada", PASSWORD)
        return session, token

    def refresh(self, token: RefreshToken, key: str = "a") -> RefreshToken:
        return self.sessions.refresh(token, Keys(key))[2]

    def is_signed_in(self, session: Session) -> bool:
        try:
            self.sessions.check(Identity("ada", session.generation, session.id))
        except SessionEnded:
            return False
        return True


@pytest.fixture
def ada(table: UsersTable) -> Owner:
    return Owner(table)


class TestRefreshing:
    def test_each_token_has_a_successor_of_the_same_session(self, ada: Owner, clock: Clock) -> None:
        session, token = ada.sign_in()
        seen = {str(token)}
        for _ in range(5):
            clock.now += 2 * MINUTE
            user, refreshed, token = ada.sessions.refresh(token, Keys("a"))
            assert (user.username, refreshed.id) == ("ada", session.id)
            seen.add(str(token))
        assert len(seen) == 6
        assert ada.is_signed_in(session)

    def test_reuse_within_a_minute_returns_the_same_successor(self, ada: Owner, clock: Clock) -> None:
        _, token = ada.sign_in()
        successor = ada.refresh(token, "a")
        clock.now += MINUTE
        assert ada.refresh(token, "b") == successor

    def test_a_tab_some_tokens_behind_gets_the_current_token(self, ada: Owner) -> None:
        _, first = ada.sign_in()
        second = ada.refresh(first, "a")
        third = ada.refresh(second, "b")
        assert [ada.refresh(each, "c") for each in (first, second)] == [third, third]
        assert ada.refresh(third) not in (first, second, third)

    def test_reuse_after_a_minute_is_theft_and_ends_the_session(self, ada: Owner, clock: Clock) -> None:
        session, token = ada.sign_in()
        successor = ada.refresh(token)
        clock.now += MINUTE + 1
        with pytest.raises(RefreshTokenReused):
            ada.refresh(token)
        assert not ada.is_signed_in(session)
        with pytest.raises(InvalidRefreshToken):
            ada.refresh(successor)

    @pytest.mark.parametrize("part", ["session", "family"])
    def test_an_unknown_family_ends_no_session(self, ada: Owner, part: str) -> None:
        session, token = ada.sign_in()
        with pytest.raises(InvalidRefreshToken) as raised:
            ada.refresh(replace(token, **{part: RefreshToken.first().family}))
        assert not isinstance(raised.value, RefreshTokenReused)
        assert ada.is_signed_in(session)
        ada.refresh(token)

    def test_fifty_concurrent_refreshes_under_two_keys_get_one_successor(
        self, local_aws: str, clock: Clock
    ) -> None:
        """On the emulator, because moto's conditions are not thread-safe."""
        client = boto3.client("dynamodb", endpoint_url=local_aws)
        empty_tables(client)
        owner = Owner(UsersTable(client))
        session, token = owner.sign_in()
        with ThreadPoolExecutor(10) as threads:
            successors = set(threads.map(lambda n: owner.refresh(token, "ab"[n % 2]), range(50)))
        assert len(successors) == 1
        assert owner.is_signed_in(session)
        owner.refresh(*successors)

    def test_a_retry_after_a_lost_response_signs_nobody_out(self, ada: Owner, dynamodb: Any) -> None:
        update = dynamodb.update_item

        def twice(**request: Any) -> Any:
            update(**request)
            return update(**request)

        session, token = ada.sign_in()
        dynamodb.update_item = twice
        successor = ada.refresh(token)
        assert ada.refresh(successor)
        assert ada.is_signed_in(session)

    def test_too_many_refreshes_are_throttled_and_keep_the_session(
        self, ada: Owner, table: UsersTable, clock: Clock
    ) -> None:
        session, first = ada.sign_in()
        token = first
        for _ in range(20):
            token = ada.refresh(token)
        with pytest.raises(TooManyAttempts) as raised:
            ada.refresh(token)
        assert ada.refresh(first) == token
        clock.now += raised.value.retry_after + 1
        ada.refresh(token)
        (item,) = table.read(session_key(session.id))
        assert item is not None
        assert len(item["used"]["L"]) == 1

    def test_a_write_that_conflicts_with_a_transaction_is_retried(self, ada: Owner, dynamodb: Any) -> None:
        update, calls = dynamodb.update_item, []

        def conflict_once(**request: Any) -> Any:
            calls.append(request)
            if len(calls) == 1:
                raise dynamodb.exceptions.TransactionConflictException({"Error": {}}, "UpdateItem")
            return update(**request)

        _, token = ada.sign_in()
        dynamodb.update_item = conflict_once
        ada.refresh(token)
        assert len(calls) == 2

    def test_no_secret_is_stored(self, ada: Owner, table: UsersTable) -> None:
        session, token = ada.sign_in()
        successor = ada.refresh(token)
        stored = str(table.read(session_key(session.id)))
        assert not [part for part in (token.family, token.secret, successor.secret) if part in stored]


class TestEnds:
    def test_a_session_ends_after_a_month_without_a_refresh(self, ada: Owner, clock: Clock) -> None:
        session, token = ada.sign_in()
        clock.now += 29 * DAY
        token = ada.refresh(token)
        clock.now += 29 * DAY
        assert ada.is_signed_in(session)
        clock.now += DAY
        assert not ada.is_signed_in(session)
        with pytest.raises(InvalidRefreshToken):
            ada.refresh(token)

    def test_a_session_ends_after_three_months_in_any_case(self, ada: Owner, clock: Clock) -> None:
        session, token = ada.sign_in()
        for _ in range(9):
            assert ada.is_signed_in(session)
            clock.now += 10 * DAY - 1
            token = ada.refresh(token)
        clock.now += 10
        assert not ada.is_signed_in(session)

    def test_a_new_password_ends_all_other_sessions(self, ada: Owner) -> None:
        (mine, token), (other, theirs) = ada.sign_in(), ada.sign_in()
        me = Identity("ada", mine.generation, mine.id)
        ada.users.change_password(me, PASSWORD, "another horse")
        ada.sessions.check(me)
        ada.refresh(token)
        assert not ada.is_signed_in(other)
        with pytest.raises(InvalidRefreshToken):
            ada.refresh(theirs)

    def test_a_refresh_meanwhile_does_not_undo_the_new_password(
        self, ada: Owner, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session, token = ada.sign_in()
        me, update = Identity("ada", session.generation, session.id), dynamodb.update_item

        def after_the_change(**request: Any) -> Any:
            dynamodb.update_item = update
            ada.users.change_password(me, PASSWORD, "another horse")
            return update(**request)

        dynamodb.update_item = after_the_change
        ada.refresh(token)
        ada.sessions.check(me)

    def test_signing_out_ends_only_its_session(self, ada: Owner) -> None:
        (mine, token), (other, _) = ada.sign_in(), ada.sign_in()
        ada.sessions.revoke(replace(token, family=RefreshToken.first().family))
        assert ada.is_signed_in(mine)
        for _ in range(2):
            ada.sessions.revoke(token)
            assert (ada.is_signed_in(mine), ada.is_signed_in(other)) == (False, True)

    def test_a_session_ends_when_its_user_is_deleted(self, ada: Owner) -> None:
        session, token = ada.sign_in()
        ada.users.delete(Identity("ada", session.generation, session.id), PASSWORD)
        with pytest.raises(InvalidRefreshToken):
            ada.refresh(token)


@given(st.text(alphabet="ab._-é", max_size=140) | st.text(max_size=30))
def test_an_invalid_refresh_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidRefreshToken):
        RefreshToken.parse(text)


def test_over_http_a_refresh_token_is_exchanged_and_a_stolen_one_is_counted(
    invoke: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("create_user")
    tokens = json.loads(invoke("login")["body"])
    body = f"grant_type=refresh_token&refresh_token={tokens['refresh_token']}"
    refreshed = json.loads(invoke("login", body=body)["body"])
    assert refreshed.keys() == tokens.keys()
    assert refreshed["refresh_token"] != tokens["refresh_token"]
    monkeypatch.setattr("shared.users.sessions._GRACE", -1)
    refused = invoke("login", body=body)
    assert refused["statusCode"] == 400
    assert json.loads(refused["body"])["error"] == "invalid_grant"
    assert "RefreshTokenReused" in capsys.readouterr().out


def test_signing_out_is_not_acknowledged_while_the_token_cannot_be_checked(
    invoke: Callable[..., dict[str, Any]],
) -> None:
    token = jwt.encode({"sub": "x"}, "k" * 40, headers={"kid": "unknown"})
    assert invoke("revoke_token", body=f"token={token}")["statusCode"] == 503


def test_no_error_reveals_a_new_refresh_token() -> None:
    forget()
    token = RefreshToken.first()
    assert token.secret not in repr(token)
    assert not [part for part in (token.family, token.secret) if part in masked(f"it was {token}")]
