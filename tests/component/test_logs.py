"""Log lines of functions parse and hold no secrets, whatever fails and whatever a client sends."""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import reduce
from types import ModuleType
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import botocore.client
import jwt
import passlib.exc
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from shared import logs, metrics
from shared.api.problems import InvalidRequest
from shared.api.user_models import LoginForm, NewUser
from shared.cache.redis import RedisError
from shared.users.api_key import new_secret
from shared.users.store import UserStore
from shared.users.tokens import TokenSigner
from shared.users.user import User
from tests.aws import TOKEN_KEY
from tests.handlers import LambdaContext, context_of, event, load_function
from tests.template import TEMPLATE, functions_of

FUNCTIONS = [each.name for each in functions_of(TEMPLATE).values()]
WITHOUT_STORE = {"api_docs", "board"}
PASSWORD = "mark \"er\\ of a pässword'"
NEW_PASSWORD = "marker/of+a new pässword"
TOKEN = jwt.encode({"sub": "marker"}, "marker of a key that nobody has" * 2, headers={"kid": "marker"})
REDIS_PASSWORD = "marker%of:redis"


def forms(secret: str) -> list[str]:
    """The spellings of a secret in errors and URLs."""
    return [secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)]


def forms_in(text: str, *secrets: str) -> list[str]:
    """The forms of secrets that a text contains, plain or in JSON."""
    return [
        form for each in secrets for form in forms(each) if form in text or json.dumps(form)[1:-1] in text
    ]


def with_note(text: str) -> Exception:
    error = RuntimeError("see the notes")
    error.add_note(text)
    return error


def with_cause(text: str) -> Exception:
    error = RuntimeError("see the cause")
    error.__cause__ = ValueError(text)
    return error


def client_error(text: str) -> ClientError:
    error: Any = {"Code": "ValidationException", "Message": text}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, "PutItem")


ERRORS: dict[str, Callable[[str], Exception]] = {
    "ClientError": client_error,
    "ParamValidationError": lambda text: ParamValidationError(report=text),
    "PasswordValueError": passlib.exc.PasswordValueError,
    "InvalidTokenError": jwt.InvalidTokenError,
    "RedisError": RedisError,
    "note": with_note,
    "cause": with_cause,
}


class Failing:
    """A store whose every method fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: object, **__: object) -> None:
            raise self._error

        return fail


def forget_secrets() -> None:
    """Conceal many other secrets, which displace those of earlier requests."""
    for number in range(100):
        logs.conceal(f"of another request {number}")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The text that is logged during the test; nothing is concealed yet."""
    forget_secrets()
    logs.logger.clear_state()  # other tests may have added keys
    handler: Any = logs.logger.registered_handler
    stream = io.StringIO()
    old = handler.setStream(stream)
    yield stream
    handler.setStream(old)


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    """The records of a log. Each must be one line, also for `str.splitlines`."""
    text = stream.getvalue()
    lines = text.splitlines()
    assert len(lines) == text.count("\n")
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


def secret_event(name: str) -> dict[str, Any]:
    """A sample event with secrets in all fields that take them."""
    bodies = {
        "create_user": json.dumps({"username": "ada", "password": PASSWORD}),
        "login": urlencode({"username": "ada", "password": PASSWORD}),
        "change_password": json.dumps({"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
    }
    sample = event(name)
    sample["body"] = bodies.get(name, sample.get("body"))
    if "requestContext" in sample:
        headers = {**(sample.get("multiValueHeaders") or {}), "Authorization": [f"Bearer {TOKEN}"]}
        sample["multiValueHeaders"] = headers
    return sample


def call(function: ModuleType, sample: dict[str, Any]) -> str:
    """Call a handler; returns its response, or the traceback that Lambda logs."""
    try:
        return json.dumps(function.handler(sample, LambdaContext()), ensure_ascii=False)
    except Exception as error:
        return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("error_of", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in WITHOUT_STORE])
def test_errors_are_logged_without_their_secrets(
    empty_aws: object,
    written: io.StringIO,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    error_of: Callable[[str], Exception],
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://:{quote(REDIS_PASSWORD)}@localhost")
    sample, function = secret_event(name), load_function(name)
    sent = [each for each in (PASSWORD, NEW_PASSWORD, TOKEN) if forms_in(json.dumps(sample), each)]
    secrets = [*sent, REDIS_PASSWORD]
    error = error_of("; ".join(form for secret in secrets for form in forms(secret)))
    for attribute, value in vars(function).copy().items():
        if type(value).__module__.startswith("shared.") and attribute != "handler":
            monkeypatch.setattr(function, attribute, Failing(error))
    answer = call(function, sample)
    said = "".join((written.getvalue(), answer, *capsys.readouterr()))
    assert not forms_in(said, *secrets)
    reported = (type(error).__name__, "batchItemFailures", "token refused")
    assert any(each in said for each in reported), said
    records(written)


def test_errors_of_aws_calls_are_logged_without_hashes_and_keys(
    empty_aws: object, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = UserStore().create("grace", PASSWORD)
    authorizer = {"user_id": user.id, "username": "grace", "session": user.generation}
    new_hash, new_key = "$marker of a hash$", "marker of a new key" * 3
    call_aws, failed = botocore.client.BaseClient._make_api_call, set()

    def fail(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if not forms_in(repr(parameters), new_hash, new_key):
            return call_aws(self, operation, parameters)
        failed.add(operation)
        raise client_error(repr(parameters))

    forget_secrets()
    monkeypatch.setattr("shared.users.passwords._context.hash", lambda _: new_hash)
    monkeypatch.setattr("shared.users.token_key_rotation.secrets.token_urlsafe", lambda _: new_key)
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", fail)
    answers = []
    for name in ("create_user", "change_password", "rotate_token_key"):
        sample = secret_event(name)
        sample.get("requestContext", {})["authorizer"] = authorizer
        answers.append(call(load_function(name), sample))
    said = written.getvalue() + "".join(answers)
    assert failed == {"PutItem", "TransactWriteItems", "PutSecretValue"}
    assert not forms_in(said, new_hash, new_key, TOKEN_KEY, PASSWORD, NEW_PASSWORD, TOKEN)
    assert "argon2" not in said
    assert "ValidationException" in said


@pytest.mark.parametrize("operation", ["encode", "decode"])
def test_old_signing_keys_are_masked(
    empty_aws: object, written: io.StringIO, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    user, signer = User("x", "x", 0, "x"), TokenSigner()
    token = signer.issue(user, "x", lifetime=60)

    def fail(*arguments: Any, **_: Any) -> None:
        raise ValueError(arguments)

    forget_secrets()
    monkeypatch.setattr(f"shared.users.tokens.jwt.{operation}", fail)
    with pytest.raises(ValueError, match=TOKEN_KEY) as raised:
        signer.issue(user, "x", lifetime=60) if operation == "encode" else signer.verify(token)
    logs.logger.error("it failed", exc_info=raised.value)
    assert records(written)[0]["exception_name"] == "ValueError"
    assert TOKEN_KEY not in written.getvalue()


def test_api_keys_are_masked_everywhere(written: io.StringIO) -> None:
    key = new_secret()
    forget_secrets()
    logs.logger.error(f"received {key}", value={"of a client": [key[:40]]})
    assert key[:20] not in written.getvalue()


def test_a_secret_that_cannot_be_encoded_masks_nothing_else(written: io.StringIO) -> None:
    logs.conceal("\ud800 lone surrogate")
    logs.logger.info("fine", text="a text, and \ud800 lone surrogate")
    assert records(written)[0]["text"] == "a text, and ***"


@pytest.mark.parametrize("model", [NewUser, LoginForm])
@pytest.mark.parametrize("password", [["marker"], {"marker": 1}, "marker" * 1000, 123456789, "\ud800marker"])
def test_a_validation_error_holds_no_input(model: type[NewUser | LoginForm], password: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        model.parse({"username": "ada", "password": password})
    text = "".join(traceback.format_exception(raised.value))
    for part in ("marker", "123456789", "input_value"):
        assert part not in text


HOSTILE = [
    "a\nb\r\nc\u2028d\u2029e\x85f\x1b[31mred\x1b]0;title\x07\x9b31m\x00",
    "\ud800 lone \udfff",
    '"}\n{"level":"ERROR","message":"forged"}',
    "\u202eright to left",
    "🗓" * 50_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=["control", "surrogates", "forged", "right to left", "long"])
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "requestContext" in event(name)])
def test_a_clients_text_cannot_forge_log_records(
    empty_aws: object, written: io.StringIO, name: str, text: str
) -> None:
    sample = event(name)
    claims = {"sub": text, "jti": text}
    token = jwt.encode(claims, "k" * 40, headers={"kid": text}) if len(text) < 99 else text
    names = ("Idempotency-Key", "If-Match", "User-Agent", text)
    sample.update(
        path=f"/tasks/{text}",
        httpMethod=text,
        multiValueHeaders={**{each: [text] for each in names}, "Authorization": [f"Bearer {token}"]},
        multiValueQueryStringParameters={text: [text], "cursor": [text]},
        pathParameters=sample.get("pathParameters") and {"task_id": text},
    )
    sample["requestContext"]["requestId"] = text
    if sample["requestContext"].get("authorizer"):
        sample["requestContext"]["authorizer"].update(user_id=text, username=text, session=text)
    for body in (text, json.dumps({"username": text, "title": text, "status": text, "password": text})):
        call(load_function(name), {**sample, "body": body})
    for line in written.getvalue().splitlines():
        assert len(line) <= logs.MAX_RECORD
        assert line.isascii()
    for record in records(written):
        assert record["level"] == "INFO"
        assert record["message"] in {"answered", "token refused"}
        assert record["service"] == "task-api"
        assert record["function_name"] == "Function"


def test_a_notification_is_one_log_record(empty_aws: object, written: io.StringIO) -> None:
    sender = load_function("send_notification")
    sample = event("send_notification")["Records"][0]
    for number, text in enumerate(HOSTILE):
        task = {"id": text, "title": text}
        message = {"type": "task.created", "id": f"{number}", "task": task, "request_id": text}
        batch = {"Records": [{**sample, "body": json.dumps(message)}]}
        answer = sender.handler(batch, context_of("send_notification"))
        assert answer == {"batchItemFailures": []}
    sent = records(written)
    assert [each["message"] for each in sent] == ["notification sent"] * len(HOSTILE)
    assert [each["title"] for each in sent][:-1] == HOSTILE[:-1]
    assert len(sent[-1]["title"]) < logs.MAX_TEXT + 10


def test_a_password_cannot_change_field_names(empty_aws: object, written: io.StringIO) -> None:
    for word in ("task-api", "timestamp", "Function"):
        form = urlencode({"username": "ada", "password": word})
        load_function("login").handler(event("login", body=form), LambdaContext())
    assert {(each["message"], each["service"]) for each in records(written)} == {("answered", "task-api")}


def test_a_secret_is_masked_until_the_next_request(written: io.StringIO) -> None:
    logs.conceal(PASSWORD)
    logs.logger.info(f"it is {PASSWORD}", number=1)
    logs.forget()
    logs.logger.info(f"it was {PASSWORD}")
    assert [each["message"] for each in records(written)] == ["it is ***", f"it was {PASSWORD}"]


def test_a_short_redis_password_masks_nothing_else(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:task@h")
    logs.logger.info("answered", path="/tasks/1")
    assert records(written)[0]["path"] == "/tasks/1"


class Resisting:
    """An object that neither JSON nor `str` can write."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


NESTED: list[Any] = reduce(lambda inner, _: [inner], range(100_000), [])
UNWRITABLE = [Resisting(), {("a", "tuple"): 1}, NESTED, float("nan"), "\ud800", {1, 2}, b"\xff"]


@pytest.mark.parametrize("value", UNWRITABLE, ids=lambda value: type(value).__name__)
def test_an_unserializable_value_hides_no_other_value(written: io.StringIO, value: object) -> None:
    logs.logger.error("it failed", exc_info=ZeroDivisionError("marker"), value=value, task_id="x")
    (record,) = records(written)
    others = {"message": "it failed", "exception_name": "ZeroDivisionError", "task_id": "x"}
    assert record | others == record
    assert "marker" in record["exception"]


@pytest.mark.parametrize("message", ["%s and %s", Resisting()], ids=["too few arguments", "resisting"])
def test_an_unserializable_message_hides_no_error(written: io.StringIO, message: object) -> None:
    error = ZeroDivisionError("marker")
    record = logging.LogRecord("x", logging.ERROR, "x", 1, message, ("one",), (type(error), error, None))
    logs.logger.registered_handler.emit(record)
    (logged,) = records(written)
    assert logged["exception_name"] == "ZeroDivisionError"
    assert "marker" in logged["exception"]


class Broken(io.StringIO):
    """An output whose writes fail."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError("nobody reads this")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("output", [Broken, closed])
@pytest.mark.parametrize("errors", [Broken, closed, io.StringIO])
def test_a_request_is_answered_although_nothing_can_be_logged(
    empty_aws: object,
    monkeypatch: pytest.MonkeyPatch,
    output: Callable[[], io.StringIO],
    errors: Callable[[], io.StringIO],
) -> None:
    stderr = errors()
    monkeypatch.setattr(logs.logger.registered_handler, "stream", output())
    monkeypatch.setattr(sys, "stdout", output())
    monkeypatch.setattr(sys, "stderr", stderr)
    get_task, rotate = load_function("get_task"), load_function("rotate_token_key")
    assert get_task.handler(event("get_task"), LambdaContext())["statusCode"] == 404
    monkeypatch.setattr(get_task, "tasks", Failing(ZeroDivisionError("marker")))
    assert get_task.handler(event("get_task"), LambdaContext())["statusCode"] == 500
    assert errors is not io.StringIO or "marker" in stderr.getvalue()
    monkeypatch.setattr(rotate, "rotation", Failing(ZeroDivisionError("marker")))
    with pytest.raises(ZeroDivisionError):
        rotate.handler(event("rotate_token_key"), LambdaContext())


def test_a_metric_that_cannot_be_written_raises_nothing(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken())
    metrics.count("TaskCreated")
    (record,) = records(written)
    assert record["exception_name"] == "BrokenPipeError"


def test_a_record_is_bounded_whatever_failed(written: io.StringIO) -> None:
    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        raise ValueError("x" * 1_000_000)

    with pytest.raises(ValueError, match="x") as raised:
        deep(300)
    logs.logger.error("it failed", exc_info=raised.value, values=["y" * 1000] * 1000)
    assert len(written.getvalue()) < 64_000
    (record,) = records(written)
    assert record["exception"].startswith("Traceback")
