"""Everything there is, used well and badly; then all that was said is read, and no secret is in it."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import boto3
import jwt
import pytest

from shared.users.token_key_rotation import TokenKeyRotation
from tests.local_stack import Client, Stack, unique
from tests.redis_servers import Server

NAMES = ("as a key", "as a parameter")
"""Secrets that are sent as names, which a 422 repeats to who sent them, and nothing else does."""


def encodings(secret: str) -> set[str]:
    """How a secret could be written."""
    found = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    for start in range(3):
        data = b"\0" * start + secret.encode()
        encoded = base64.b64encode(data[: len(data) // 3 * 3]).decode()
        found.add(encoded[4 if start else 0 :])  # the characters that do not depend on what is around
    return found


def leaks(text: str, secrets: Mapping[str, str]) -> list[str]:
    """Which of some secrets are in a text."""
    return [name for name, secret in secrets.items() if any(each in text for each in encodings(secret))]


@dataclass
class Run:
    """What was sent as a secret, and what came back."""

    stack: Stack
    state: Path
    passwords: dict[str, str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """Whole responses, but for the tokens of those that give one."""
    statuses: list[int] = field(default_factory=list)

    def secret(self, name: str) -> str:
        return self.passwords.setdefault(name, f"marker {len(self.passwords)}/é {uuid.uuid4().hex}")

    def send(self, method: str, path: str, token: str | None = None, **options: Any) -> Any:
        response = Client(self.stack.url, token)(method, path, **options)
        text = response.text
        if path == "/auth/login" and response.ok:
            self.tokens.append(response.json()["access_token"])
            text = text.replace(self.tokens[-1], "")
        self.statuses.append(response.status_code)
        self.answers.append(f"{response.status_code} {response.headers} {text}")
        return response

    def sign_up(self, **fields: Any) -> Any:
        return self.send("POST", "/auth/create", json=fields)

    def sign_in(self, username: str, password: str) -> str:
        form = {"username": username, "password": password}
        return str(self.send("POST", "/auth/login", data=form).json().get("access_token"))


def aws(stack: Stack, service: Any) -> Any:
    return boto3.client(service, endpoint_url=stack.wait_for(r"AWS\s+(http://\S+)")[1])


def use_passwords(run: Run) -> str:
    """Sign up, sign in and change the password, in every way that there is to do it wrong."""
    right, new = run.secret("right"), run.secret("new")
    assert run.sign_up(username="ada", password=right).status_code == 201
    run.sign_up(username="ada", password=run.secret("of a taken name"))
    run.sign_up(username="no name!", password=run.secret("of a bad name"))
    run.sign_up(username="grace", Password=run.secret("in a wrong field"))
    run.sign_up(username="grace", password=run.secret("with a surplus field"), passwd="x")
    run.sign_up(username=run.secret("as a name"), password="x")
    for value in ([run.secret("in a list")], {"x": run.secret("in an object")}, int("8731" * 9)):
        run.sign_up(username="grace", password=value)
    run.passwords["a number"] = "8731" * 9
    run.sign_up(username="grace", **{run.secret("as a key"): 1})
    run.sign_up(username="grace", password=run.secret("too long") * 50)
    run.sign_up(username="grace", password=run.secret("with a line break") + "\n")
    run.sign_up(username="grace", password=run.secret("of a surrogate") + "\ud800")
    media_types = ("application/json", "application/x-www-form-urlencoded")
    for body in ('{"username": "grace", "password": "%s', '["%s"', '"%s"', '{"password": "%s\x00"}', "%s"):
        for path, media_type in product(("/auth/create", "/auth/login"), media_types):
            data = (body % run.secret("malformed")).encode()
            run.send("POST", path, data=data, headers={"Content-Type": media_type})
    run.send("POST", "/auth/create", data={"username": "grace", "password": run.secret("in a form")})
    run.send("POST", "/auth/login", json={"username": "ada", "password": run.secret("in JSON")})
    run.send("POST", "/auth/login", params={"username": "ada", "password": run.secret("in a query")})
    run.send("GET", "/", params={run.secret("as a parameter"): "1"})
    run.send("POST", "/auth/login", auth=("ada", run.secret("basic")))
    run.send("GET", "/tasks", auth=("ada", run.secret("basic")))
    run.send("POST", "/auth/login", data={"password": run.secret("without a name")})
    run.send("POST", "/auth/login", data={"username": "ada", "password": [run.secret("twice")] * 2})
    run.send("POST", "/auth/login", data={"grant_type": "x", "client_secret": run.secret("another grant")})
    run.sign_in("ada", run.secret("wrong"))
    run.sign_in("nobody", run.secret("of nobody"))
    token = run.sign_in("ada", right)

    def change(**fields: str) -> int:
        return int(run.send("POST", "/auth/password", token, json=fields).status_code)

    assert change(current_password=run.secret("not the current"), new_password=new) == 403
    assert change(current_password=right, new_password="short") == 422
    assert change(current_password=right, new_password=new) == 204
    assert change(current_password=new, new_password=run.secret("too late")) == 401
    return run.sign_in("ada", new)


def use_tokens(run: Run, token: str) -> None:
    """Send tokens that are none, or no longer, or not where they belong."""
    secrets_manager = aws(run.stack, "secretsmanager")
    current = secrets_manager.get_secret_value(SecretId="TokenSecret")
    run.keys.append(current["SecretString"])
    claims = jwt.decode(token, options={"verify_signature": False})
    header = {"kid": current["VersionId"]}
    bad = [
        {"exp": 1},
        {"aud": run.secret("audience")},
        {"iss": run.secret("issuer")},
        {"username": run.secret("in a claim"), "sub": "x"},
        {"iat": time.time() + 9999},
    ]
    run.tokens += [jwt.encode({**claims, **each}, run.keys[0], headers=header) for each in bad]
    run.tokens += [
        jwt.encode(claims, run.keys[0], headers={"kid": run.secret("key id")}),
        jwt.encode(claims, run.secret("forger's key").encode(), headers=header),
        f"{token[:-4]}AAAA",
        token.replace(".", ".."),
        token[:-20],
    ]
    for each in run.tokens[-10:]:
        assert run.send("GET", "/tasks", each).status_code == 401
    opaque = f"opaque-{uuid.uuid4().hex}-token"
    run.tokens.append(opaque)
    for value in (opaque, f"Bearer {opaque}", f"Token {opaque}", f"Bearer  {opaque} {opaque}"):
        assert run.send("GET", "/tasks", headers={"Authorization": value}).status_code == 401
    for name in ("access_token", "token"):
        run.send("GET", "/tasks", params={name: opaque})
        run.send("GET", "/docs", params={name: token})
    rotation, version = TokenKeyRotation(secrets_manager), str(uuid.uuid4())
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        rotation.run(step, "TokenSecret", version)
    run.keys.append(secrets_manager.get_secret_value(SecretId="TokenSecret")["SecretString"])
    assert run.keys[0] != run.keys[1]


def use_tasks(run: Run, token: str) -> None:
    """Every method of the tasks, well and badly."""
    title, key = unique("Secret"), {"Idempotency-Key": f"key-{uuid.uuid4().hex}"}
    run.tokens.append(key["Idempotency-Key"])
    task = run.send("POST", "/tasks", token, json={"title": title}, headers=key).json()
    run.send("POST", "/tasks", token, json={"title": title}, headers=key)
    run.send("POST", "/tasks", token, json={"title": "other"}, headers=key)
    run.send("POST", "/tasks", token, json={"title": title})
    run.send("POST", "/tasks", token, json={"title": "x", "password": run.secret("with a task")})
    run.send("POST", "/tasks", token, data=run.secret("no JSON").encode())
    run.send("GET", "/tasks", token, params={"cursor": run.secret("as a cursor")})
    run.send("GET", "/tasks", token, params={"status": run.secret("as a status")})
    run.send("GET", "/tasks", token)
    path = f"/tasks/{task['id']}"
    for method, options in (
        ("GET", {}),
        ("PATCH", {"json": {"status": "COMPLETED"}}),
        ("PATCH", {"json": {"status": run.secret("as another status")}}),
        (
            "PATCH",
            {"json": {"title": "x"}, "headers": {"If-Match": '"5"'}},
        ),
        ("PUT", {"json": {"title": run.secret("no such method")}}),
        ("DELETE", {}),
        ("GET", {}),
    ):
        run.send(method, path, token, **options)
    run.stack.wait_for("notification sent")


def break_functions(run: Run, project: Path) -> None:
    """Make 500s whose errors quote all that they know."""
    shared = project / "shared/users"
    tell = 'raise ValueError(f"{locals()}")'
    edit(shared / "tokens.py", "claims = jwt.decode(", f"{tell}\n            claims = jwt.decode(")
    fresh = run.sign_in("ada", run.secret("new"))
    assert run.send("GET", "/tasks", fresh).status_code == 503  # which the gateway makes of a 500
    loop = "for form in _forms(password):\n        "
    for old in ("return conceal(str(_context", f"{loop}is_right", f"{loop}_context"):
        edit(shared / "passwords.py", old, f"{tell}\n    {old}")
    run.sign_up(username="grace", password=run.secret("to hash"))
    run.sign_in("ada", run.secret("to verify"))
    run.sign_in("nobody", run.secret("to verify of nobody"))
    assert run.statuses[-3:] == [500] * 3
    aws(run.stack, "dynamodb").delete_table(TableName="UsersTable")
    run.sign_in("ada", run.secret("without a table"))
    assert run.statuses[-1] == 503


def edit(path: Path, old: str, new: str) -> None:
    code = path.read_text()
    assert old in code
    path.write_text(code.replace(old, new))


@pytest.fixture
def run(start_stack: Callable[..., Stack], project: Path, server: Server, tmp_path: Path) -> Run:
    """All of it, on a stack that has ended."""
    state = tmp_path / "state.db"
    redis_password = f"redis-{uuid.uuid4().hex}"
    url = server.url.replace("://", f"://:{redis_password}@")
    run = Run(start_stack("--state", str(state), "--redis", url, root=project), state)
    run.tokens.append(redis_password)
    token = use_passwords(run)
    use_tokens(run, token)
    use_tasks(run, run.sign_in("ada", run.secret("new")))
    break_functions(run, project)
    run.stack.stop()
    return run


def test_nothing_secret_is_said_anywhere(run: Run) -> None:
    assert {200, 201, 204, 401, 403, 404, 409, 412, 415, 422, 500, 503} <= set(run.statuses)
    signatures = {f"signature {token}": token.rpartition(".")[2] for token in run.tokens if "." in token}
    passwords, hidden = run.passwords, {each: each for each in (*run.tokens, *run.keys)} | signatures

    log = "\n".join(run.stack.lines)
    for expected in ("UserCreated", "SignInRefused", "cache failed", "token refused", "request failed"):
        assert expected in log
    assert not leaks(log, passwords | hidden)
    assert "argon2id" not in log

    answers = "\n".join(run.answers)
    assert set(leaks(answers, passwords | hidden)) <= set(NAMES)
    assert "argon2id" not in answers

    state = run.state.read_bytes().decode("latin-1")  # which holds hashes and keys, and what is on its way
    assert "argon2id" in state
    assert not leaks(state, passwords)


def test_what_a_client_sends_cannot_steer_the_terminal(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack("--no-state")
    anyone = Client(stack.url)
    hostile = '\x1b[31m\r\n\u2028\x00\x9b2J{"level":"ERROR","message":"forged"}'
    anyone("GET", f"/tasks/{quote(hostile)}?{quote(hostile)}={quote(hostile)}")
    anyone(
        "GET",
        "/docs",
        headers={"User-Agent": "\x1b[31m", "X-Request-Id": "\x1b[31m", "Authorization": "\x1b]0;"},
    )
    anyone("POST", "/auth/create", json={"username": hostile, "password": hostile})
    anyone("POST", "/auth/login", data={"username": hostile, "password": hostile})
    token = jwt.encode(
        {"sub": hostile, "jti": hostile}, "k" * 40, headers={"kid": hostile, "crit": [hostile]}
    )
    anyone("GET", "/tasks", headers={"Authorization": f"Bearer {token}"})
    stack.wait_for("AuthorizeFunction")
    stack.stop()
    text = "\n".join(stack.lines)
    assert not {"\x1b", "\r", "\x00", "\x9b", "\u2028"} & set(text)
    assert not [line for line in stack.lines if line.lstrip().startswith(('{"level"', "ERROR"))]
