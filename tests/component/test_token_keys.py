"""Rotation of the key that signs tokens: it signs nobody out."""

from __future__ import annotations

import time
import uuid
from typing import Any

import boto3
import jwt
import pytest

from shared.errors import InvalidToken
from shared.users.token_key_rotation import TokenKeyRotation
from shared.users.token_keys import TokenKeys
from shared.users.tokens import TokenSigner
from shared.users.user import User

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
ADA = User(
    id="0b8c6d52-21c3-4f0e-8a55-6f1d2e7b9c34",
    username="ada",
    created_at=0,
    generation="0b8c6d52-21c3-4f0e-8a55-6f1d2e7b9c34",
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["monotonic", "time"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """One of the two clocks that a test can move; the other stands still."""
    clocks = {"monotonic": Clock(), "time": Clock()}
    for name, clock in clocks.items():
        monkeypatch.setattr(f"time.{name}", clock)
    return clocks[request.param]


def rotate(steps: tuple[str, ...] = STEPS, version: str | None = None) -> str:
    version = version or str(uuid.uuid4())
    for step in steps:
        TokenKeyRotation().run(step, "TokenSecret", version)
    return version


@pytest.fixture
def reads(aws: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The version stages read from Secrets Manager during the test."""
    client = boto3.client("secretsmanager")
    stages: list[str] = []

    def read(**parameters: Any) -> Any:
        stages.append(parameters["VersionStage"])
        return client.get_secret_value(**parameters)

    class Recording:
        exceptions = client.exceptions
        get_secret_value = staticmethod(read)

    monkeypatch.setattr("shared.aws.client", lambda _service: Recording)
    return stages


def test_a_token_names_its_key(aws: None) -> None:
    token = TokenSigner().issue(ADA, "a session", lifetime=60)
    current = boto3.client("secretsmanager").get_secret_value(SecretId="TokenSecret")["VersionId"]
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": current}


def test_new_tokens_are_signed_with_the_new_key_and_the_old_are_accepted(aws: None) -> None:
    old = TokenSigner().issue(ADA, "a session", lifetime=60)
    version = rotate()
    new = TokenSigner().issue(ADA, "a session", lifetime=60)
    assert jwt.get_unverified_header(new)["kid"] == version
    assert [TokenSigner().verify(token).identity.username for token in (old, new)] == ["ada", "ada"]


def test_a_verifier_with_cached_keys_accepts_tokens_of_a_new_key(aws: None) -> None:
    verifier = TokenSigner()
    verifier.verify(TokenSigner().issue(ADA, "a session", lifetime=60))
    rotate()
    new = TokenSigner().issue(ADA, "a session", lifetime=60)
    assert verifier.verify(new).identity.username == "ada"


def test_signing_uses_a_new_key_within_minutes(aws: None, clock: Clock) -> None:
    signer = TokenSigner()
    signer.issue(ADA, "a session", lifetime=60)
    version = rotate()
    clock.now += 301
    assert jwt.get_unverified_header(signer.issue(ADA, "a session", lifetime=60))["kid"] == version


def test_a_leaked_key_is_refused_after_two_rotations_however_long_the_verifier_was_frozen(
    aws: None, clock: Clock
) -> None:
    verifier, leaked = TokenSigner(), TokenSigner().issue(ADA, "a session", lifetime=3600)
    assert verifier.verify(leaked).identity.username == "ada"
    rotate()
    rotate()
    clock.now += 301
    with pytest.raises(InvalidToken):
        verifier.verify(leaked)


def test_a_token_that_names_another_key_than_it_was_signed_with_is_refused(aws: None) -> None:
    """A token is verified with the key that it names, not with any that fits."""
    rotate()
    keys = TokenKeys()
    current = keys.current()
    token = TokenSigner().issue(ADA, "a session", lifetime=60)
    claims = jwt.decode(token, options={"verify_signature": False})
    previous = boto3.client("secretsmanager").get_secret_value(
        SecretId="TokenSecret", VersionStage="AWSPREVIOUS"
    )["VersionId"]
    forged = jwt.encode(claims, current.secret, algorithm="HS256", headers={"kid": previous})
    with pytest.raises(InvalidToken):
        TokenSigner().verify(forged)


@pytest.mark.parametrize("header", [{}, {"kid": ""}, {"kid": "AWSCURRENT"}])
def test_a_token_without_a_known_key_is_refused(aws: None, header: dict[str, Any]) -> None:
    claims = jwt.decode(
        TokenSigner().issue(ADA, "a session", lifetime=60), options={"verify_signature": False}
    )
    token = jwt.encode(claims, TokenKeys().current().secret, algorithm="HS256", headers=header)
    with pytest.raises(InvalidToken):
        TokenSigner().verify(token)


def test_the_key_is_read_once(reads: list[str], clock: Clock) -> None:
    keys = TokenKeys()
    for _ in range(3):
        keys.find(keys.current().id)
    assert reads == ["AWSCURRENT"]


def test_unknown_keys_do_not_cause_a_burst_of_reads(reads: list[str], clock: Clock) -> None:
    keys = TokenKeys()
    for number in range(50):
        assert keys.find(f"made up {number}") is None
    assert reads == ["AWSCURRENT", "AWSPREVIOUS"] * 2
    clock.now += 1.5
    for number in range(50):
        assert keys.find(f"made up {number}") is None
    assert reads == ["AWSCURRENT", "AWSPREVIOUS"] * 3


@pytest.mark.parametrize("interrupted", range(1, len(STEPS)))
def test_an_interrupted_rotation_can_be_repeated(aws: None, interrupted: int) -> None:
    token = TokenSigner().issue(ADA, "a session", lifetime=60)
    version = rotate(STEPS[:interrupted])
    assert TokenSigner().verify(token).identity.username == "ada"
    rotate(version=version)
    assert TokenKeys().current().id == version
    assert TokenSigner().verify(token).identity.username == "ada"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_can_be_repeated(aws: None, step: str) -> None:
    token = TokenSigner().issue(ADA, "a session", lifetime=60)
    before = TokenKeys().current()
    steps = tuple(name for each in STEPS for name in ([each, each] if each == step else [each]))
    version = rotate(steps)
    after = TokenKeys().current()
    assert after.id == version
    assert after.secret != before.secret
    assert TokenSigner().verify(token).identity.username == "ada"


def test_a_repeated_step_does_not_make_another_key(aws: None) -> None:
    """AWS refuses to change a version, moto does not."""
    version = rotate(("createSecret",))
    pending = {"SecretId": "TokenSecret", "VersionId": version, "VersionStage": "AWSPENDING"}
    key = boto3.client("secretsmanager").get_secret_value(**pending)["SecretString"]
    rotate(version=version)
    assert TokenKeys().current().secret == key


def test_a_missing_key_fails_the_test_step(aws: None) -> None:
    with pytest.raises(ValueError, match="no key"):
        rotate(("testSecret",))


def test_an_unknown_step_is_refused(aws: None) -> None:
    with pytest.raises(ValueError, match="no step"):
        rotate(("makeSecret",))
