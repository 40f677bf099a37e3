"""After correct and incorrect use of every feature, no log, response or state file has a secret."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import boto3
import jwt
import requests

from shared.users.token_key_rotation import TokenKeyRotation
from tests.local_stack import Client, Stack, unique
from tests.redis_servers import Server


@dataclass
class Run:
    """The secrets sent to a stack, and its responses."""

    stack: Stack
    passwords: dict[str, str] = field(default_factory=dict)
    """Passwords, by where they were sent."""
    hidden: dict[str, str] = field(default_factory=dict)
    """Tokens, their signatures and keys."""
    statuses: set[int] = field(default_factory=set)
    responses: list[str] = field(default_factory=list)
    """Responses, without the tokens that they issue."""

    def secret(self, name: str) -> str:
        return self.passwords.setdefault(name, f"marker {len(self.passwords)}/é {uuid.uuid4().hex}")

    def hide(self, *secrets: str) -> None:
        self.hidden.update({secret: secret for secret in secrets})
        self.hidden.update({f"signature {each}": each.rpartition(".")[2] for each in secrets if "." in each})

    def send(self, method: str, path: str, token: str | None = None, **options: Any) -> requests.Response:
        response = Client(self.stack.url, token)(method, path, **options)
        text = response.text
        if method == "POST" and path.startswith(("/auth/login", "/auth/keys", "/webhooks")) and response.text:
            names = {"access_token", "refresh_token", "device_token", "key", "secret"}
            for name in names & response.json().keys():
                self.hide(response.json()[name])
                text = text.replace(response.json()[name], "")
        self.statuses.add(response.status_code)
        self.responses.append(f"{response.headers} {text}")
        return response

    def sign_up(self, **fields: Any) -> int:
        return self.send("POST", "/auth/create", json=fields).status_code

    def sign_in(self, username: str, password: str) -> requests.Response:
        return self.send("POST", "/auth/login", data={"username": username, "password": password})

    def token(self) -> str:
        return str(self.sign_in("ada", self.secret("new")).json()["access_token"])

    def aws(self, service: Any) -> Any:
        return boto3.client(service, endpoint_url=self.stack.wait_for(r"AWS\s+(http://\S+)")[1])


def use_passwords(run: Run) -> None:
    """Sign up, sign in and change the password, also with passwords in wrong places."""
    right, new, mistyped = run.secret("right"), run.secret("new"), run.secret("mistyped")
    assert run.sign_up(username="ada", password=right) == 201
    assert run.sign_up(username="ada", password=run.secret("of a taken name")) == 409
    assert run.sign_up(username="grace", password=run.secret("with a line break") + "\n") == 422
    assert run.sign_up(username=run.secret("as a name"), password="x") == 422
    assert run.sign_up(**{run.secret("as a key"): 1}) == 422
    paths = ("/auth/create", "/auth/login")
    media_types = ("application/json", "application/x-www-form-urlencoded")
    bodies = ('{"username": "grace", "password": "%s', '["%s"', '"%s"', '{"password": "%s\x00"}', "%s")
    for path, media_type, body in product(paths, media_types, bodies):
        data = (body % run.secret("malformed")).encode()
        run.send("POST", path, data=data, headers={"Content-Type": media_type})
    for path, options in product(
        paths,
        (
            {"json": {"username": "ada", "Password": run.secret("in JSON")}},
            {"data": {"username": "ada", "password": [run.secret("twice in a form")] * 2}},
            {"data": {"grant_type": "x", "client_secret": run.secret("another grant")}},
            {"params": {"username": "ada", "password": run.secret("in a query")}},
            {"params": {run.secret("as a parameter"): "1"}},
            {"auth": ("ada", run.secret("basic"))},
        ),
    ):
        assert 400 <= run.send("POST", path, **options).status_code < 500
    assert run.sign_in("ada", mistyped).status_code == 401
    assert run.sign_in("nobody", mistyped).status_code == 401
    token = run.sign_in("ada", right).json()["access_token"]
    changes = ((mistyped, new, 403), (right, "x", 422), (right, new, 204), (right, new, 403))
    for current, following, status in changes:
        change = {"current_password": current, "new_password": following}
        assert run.send("POST", "/auth/password", token, json=change).status_code == status
    assert run.send("GET", "/tasks", auth=("ada", run.secret("basic"))).status_code == 401


def use_tokens(run: Run) -> None:
    """Send invalid and expired tokens, and tokens in wrong places."""
    token = run.token()
    secrets_manager = run.aws("secretsmanager")
    current = secrets_manager.get_secret_value(SecretId="TokenSecret")
    claims = jwt.decode(token, options={"verify_signature": False})
    key, header = current["SecretString"], {"kid": current["VersionId"]}
    opaque = f"opaque-{uuid.uuid4().hex}-token"
    bad_claims = [
        {"aud": run.secret("audience")},
        {"iss": run.secret("issuer")},
        {"sub": "x", "username": run.secret("in a claim")},
        {"exp": 1},
        {"iat": 2**33},
    ]
    tokens = [
        *(jwt.encode({**claims, **each}, key, headers=header) for each in bad_claims),
        jwt.encode(claims, key, headers={"kid": run.secret("key id")}),
        jwt.encode(claims, run.secret("forger's key"), headers=header),
        f"{token[:-4]}AAAA",
        token.replace(".", ".."),
        token[:-20],
        opaque,
    ]
    headers = [opaque, f"Token {opaque}", f"Bearer  {opaque} {opaque}", *map("Bearer {}".format, tokens)]
    for value in headers:
        assert run.send("GET", "/tasks", headers={"Authorization": value}).status_code == 401
    for path, name, value in (("/tasks", "access_token", opaque), ("/docs", "token", token)):
        run.send("GET", path, params={name: value})
    rotation, version = TokenKeyRotation(secrets_manager), str(uuid.uuid4())
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        rotation.run(step, "TokenSecret", version)
    new_key = secrets_manager.get_secret_value(SecretId="TokenSecret")["SecretString"]
    assert new_key != key
    run.hide(*tokens, key, new_key)


def use_webhooks(run: Run) -> None:
    """Create a webhook with a secret in its URL, replace its signing secret, and let it fail."""
    token, path = run.token(), uuid.uuid4().hex
    webhook = {"url": f"http://127.0.0.1:1/{path}", "events": ["task.created"]}
    webhook_id = run.send("POST", "/webhooks", token, json=webhook).json()["id"]
    for action in ("secret", "test"):
        run.send("POST", f"/webhooks/{webhook_id}/{action}", token)
    run.stack.wait_for("webhook failed")
    assert path not in "\n".join(run.stack.lines)


def use_sessions_and_keys(run: Run) -> None:
    """Refresh, reuse and revoke tokens; create an API key, and send an invalid one."""
    tokens, key = run.sign_in("ada", run.secret("new")).json(), {"name": "x", "scope": "read"}
    for refresh_token, status in (
        (tokens["refresh_token"], 200),
        (f"{tokens['refresh_token'][:-3]}AAA", 400),
    ):
        run.hide(refresh_token)
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        assert run.send("POST", "/auth/login", data=form).status_code == status
    tokens = run.sign_in("ada", run.secret("new")).json()
    secret = run.send("POST", "/auth/keys", tokens["access_token"], json=key).json()["key"]
    mistyped = secret[:-1] + ("1" if secret[-1] == "0" else "0")
    run.hide(mistyped)
    assert run.send("GET", "/tasks", secret).status_code == 200
    assert run.send("GET", "/tasks", mistyped).status_code == 401
    run.send("GET", "/auth/keys", tokens["access_token"])
    run.send("GET", "/users", secret, params={"prefix": mistyped})
    for token in (tokens["refresh_token"], secret, mistyped):
        assert run.send("POST", "/auth/revoke", data={"token": token}).status_code == 200


def use_tasks(run: Run) -> None:
    """Use tasks correctly, and with a secret in each part of a request."""
    token, task, key = run.token(), {"title": unique("Secret")}, f"key-{uuid.uuid4().hex}"
    run.hide(key)
    with_key = {"Idempotency-Key": key}
    path = f"/tasks/{run.send('POST', '/tasks', token, json=task, headers=with_key).json()['id']}"
    for method, where, options in (
        ("POST", "/tasks", {"json": task, "headers": with_key}),
        ("POST", "/tasks", {"json": {"title": "other"}, "headers": with_key}),
        ("POST", "/tasks", {"json": task}),
        ("POST", "/tasks", {"json": {"title": "x", "password": run.secret("with a task")}}),
        ("POST", "/tasks", {"data": run.secret("no JSON").encode()}),
        ("GET", "/tasks", {"params": {"cursor": run.secret("as a cursor")}}),
        ("GET", "/tasks", {"params": {"status": run.secret("as a status")}}),
        ("GET", "/tasks", {}),
        ("PATCH", path, {"json": {"status": run.secret("as another status")}}),
        ("PATCH", path, {"json": {"title": "x"}, "headers": {"If-Match": '"5"'}}),
        ("PUT", path, {"json": {"title": run.secret("no such method")}}),
        ("DELETE", path, {}),
        ("GET", path, {}),
    ):
        run.send(method, where, token, **options)
    run.stack.wait_for("notification sent")


def break_functions(run: Run, project: Path) -> None:
    """Make functions fail with errors that quote all local variables."""
    fail = 'raise ValueError(f"{locals()}")'
    decode = "claims: dict[str, Any] = jwt.decode("
    edit(project / "shared/users/tokens.py", decode, f"{fail}\n            {decode}")
    assert run.send("GET", "/tasks", run.token()).status_code == 503  # a failed authorizer
    loop = "for form in _forms(password):\n        "
    for old in ("return conceal(str(_context", "composed, *others", f"{loop}_context"):
        edit(project / "shared/users/passwords.py", old, f"{fail}\n    {old}")
    assert run.sign_up(username="grace", password=run.secret("to hash")) == 500
    assert run.sign_in("ada", run.secret("to verify")).status_code == 500
    assert run.sign_in("nobody", run.secret("to verify of nobody")).status_code == 500
    run.aws("dynamodb").delete_table(TableName="UsersTable")
    assert run.sign_in("ada", run.secret("without a table")).status_code == 503


def edit(path: Path, old: str, new: str) -> None:
    code = path.read_text()
    assert old in code
    path.write_text(code.replace(old, new))


def leaks(text: str, secrets: dict[str, str]) -> set[str]:
    """Names of the secrets that a text contains in any encoding."""
    return {name for name, secret in secrets.items() if any(each in text for each in encodings(secret))}


def encodings(secret: str) -> set[str]:
    found = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    for start in range(3):
        data = b"\0" * start + secret.encode()
        encoded = base64.b64encode(data[: len(data) // 3 * 3]).decode()
        found.add(encoded[4 if start else 0 :])  # the characters that do not depend on the bytes around them
    return found


def test_no_log_no_response_and_no_state_file_holds_a_secret(
    start_stack: Callable[..., Stack], project: Path, server: Server, tmp_path: Path
) -> None:
    state, redis_password = tmp_path / "state.db", f"redis-{uuid.uuid4().hex}"
    redis = server.url.replace("://", f"://:{redis_password}@")
    run = Run(start_stack("--state", str(state), "--redis", redis, root=project))
    run.hide(redis_password)
    use_passwords(run)
    use_tokens(run)
    use_sessions_and_keys(run)
    use_webhooks(run)
    use_tasks(run)
    break_functions(run, project)
    run.stack.stop()
    assert run.statuses >= {200, 201, 204, 401, 403, 404, 409, 412, 415, 422, 500, 503}

    log = "\n".join(run.stack.lines)
    for expected in ("UserCreated", "SignInRefused", "cache failed", "token refused", "request failed"):
        assert expected in log
    assert not leaks(log, run.passwords | run.hidden)
    assert "argon2id" not in log

    responses = "\n".join(run.responses)
    repeated = {"as a key", "as a parameter"}  # field names, which a 422 repeats to the client
    assert leaks(responses, run.passwords | run.hidden) <= repeated
    assert "argon2id" not in responses

    stored = state.read_bytes().decode("latin-1")  # it may hold hashes, keys and messages in flight
    assert "argon2id" in stored
    assert not leaks(stored, run.passwords)
