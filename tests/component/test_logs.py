"""What a function logs: lines that parse, without secrets, whatever fails and whatever a client sends."""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
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
from shared.users.store import UserStore
from shared.users.tokens import TokenSigner
from shared.users.user import User
from tests.aws import TOKEN_KEY
from tests.handlers import LambdaContext, event, load_function
from tests.template import TEMPLATE, functions_of

FUNCTIONS = [each.name for each in functions_of(TEMPLATE).values()]
WITHOUT_STORE = {"api_docs", "board"}
PASSWORD = "mark \"er\\ of a pässword'"
NEW_PASSWORD = "marker/of+a new pässword"
TOKEN = jwt.encode({"sub": "marker"}, "marker of a key that nobody has" * 2, headers={"kid": "marker"})
REDIS_PASSWORD = "marker%of:redis"
SECRETS = (PASSWORD, NEW_PASSWORD, TOKEN, REDIS_PASSWORD)


def forms(secret: str) -> set[str]:
    """How errors, URLs and logs may write a secret."""
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(repr(secret))[2:-2],
        json.dumps(json.dumps(secret))[3:-3],
        quote(secret, safe=""),
        quote_plus(secret),
    }


def told(text: str, *secrets: str) -> list[str]:
    return [form for secret in secrets for form in forms(secret) if form in text]


def quoting(secret: str) -> str:
    return "; ".join((secret, repr(secret), json.dumps(secret), quote(secret, safe=""), quote_plus(secret)))


def _noted(text: str) -> Exception:
    error = RuntimeError("see the notes")
    error.add_note(text)
    return error


def _caused(text: str) -> Exception:
    error = RuntimeError("see the cause")
    error.__cause__ = ValueError(text)
    return error


ERRORS: dict[str, Callable[[str], Exception]] = {
    "ClientError": lambda text: ClientError(
        {
            "Error": {"Code": "ValidationException", "Message": text},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        },  # type: ignore[typeddict-item]
        "PutItem",
    ),
    "ParamValidationError": lambda text: ParamValidationError(report=text),
    "PasswordValueError": passlib.exc.PasswordValueError,
    "InvalidTokenError": jwt.InvalidTokenError,
    "RedisError": RedisError,
    "notes": _noted,
    "cause": _caused,
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
    """Have many other secrets concealed since those of earlier requests."""
    for number in range(100):
        logs.conceal(f"of another request {number}")


@pytest.fixture(autouse=True)
def _nothing_is_concealed_yet() -> None:
    forget_secrets()
    logs.logger.clear_state()  # which other tests may have added keys to


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The text that is logged, from here on."""
    handler: Any = logs.logger.registered_handler
    stream = io.StringIO()
    old = handler.setStream(stream)
    yield stream
    handler.setStream(old)


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    """The records of a log; each is one line, for whoever splits it."""
    text = stream.getvalue()
    lines = text.splitlines()
    assert len(lines) == text.count("\n")
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


def secret_event(name: str) -> dict[str, Any]:
    """A sample event with the secrets wherever they belong."""
    bodies = {
        "create_user": json.dumps({"username": "ada", "password": PASSWORD}),
        "login": urlencode({"username": "ada", "password": PASSWORD}),
        "change_password": json.dumps({"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
    }
    sample = event(name)
    if name in bodies:
        sample["body"] = bodies[name]
    if "requestContext" in sample:
        headers = {**(sample.get("multiValueHeaders") or {}), "Authorization": [f"Bearer {TOKEN}"]}
        sample["multiValueHeaders"] = headers
    return sample


def secrets_of(name: str) -> list[str]:
    sample = json.dumps(secret_event(name))
    found = [secret for secret in SECRETS if told(sample, secret)]
    return [*found, REDIS_PASSWORD]


def call(function: ModuleType, sample: dict[str, Any]) -> str:
    """Call a handler; what it answers, or what Lambda writes of what it raises."""
    try:
        return json.dumps(function.handler(sample, LambdaContext()), ensure_ascii=False)
    except Exception as error:
        return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in WITHOUT_STORE])
def test_an_error_that_quotes_a_secret_is_told_without_it(
    empty_aws: object,
    written: io.StringIO,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: str,
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://:{quote(REDIS_PASSWORD)}@localhost")
    function = load_function(name)
    error = ERRORS[kind](" ".join(map(quoting, secrets_of(name))))
    for attribute, value in vars(function).copy().items():
        if type(value).__module__.startswith("shared.") and attribute != "handler":
            monkeypatch.setattr(function, attribute, Failing(error))
    answer = call(function, secret_event(name))
    said = "".join((written.getvalue(), answer, *capsys.readouterr()))
    assert not told(said, *secrets_of(name))
    reported = (type(error).__name__, "batchItemFailures", "token refused")
    assert any(each in said for each in reported), said
    records(written)


def test_no_key_and_no_hash_is_told_by_calls_of_aws_that_quote_what_they_were_given(
    empty_aws: object, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = UserStore().create("grace", PASSWORD)
    token = TokenSigner().issue(user, lifetime=60)
    call_aws, given = botocore.client.BaseClient._make_api_call, []
    writes = ("PutItem", "UpdateItem", "PutSecretValue", "TransactWriteItems")

    def fail(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation not in writes:
            return call_aws(self, operation, parameters)
        given.append(operation)
        raise ERRORS["ClientError"](repr(parameters))

    forget_secrets()
    hashes: list[str] = []
    monkeypatch.setattr(
        "shared.users.passwords._context.hash", lambda _: hashes.append("$marker of a hash$") or hashes[-1]
    )
    keys: list[str] = []
    monkeypatch.setattr(
        "shared.users.token_key_rotation.secrets.token_urlsafe",
        lambda _: keys.append("marker of a new key" * 3) or keys[-1],
    )
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", fail)
    uncounted = SimpleNamespace(succeeded=lambda: None)
    monkeypatch.setattr("shared.users.attempts.Attempts._count", lambda *_: uncounted)
    answers = []
    for name in ("create_user", "login", "change_password", "rotate_token_key"):
        sample = secret_event(name)
        if name == "change_password":
            sample["requestContext"]["authorizer"] = {
                "user_id": user.id,
                "username": "grace",
                "session": user.session,
            }
        answers.append(call(load_function(name), sample))
    said = written.getvalue() + "".join(answers[:1] + answers[2:])  # a token is what login is for
    assert set(given) == {"PutItem", "UpdateItem", "PutSecretValue"}
    assert not told(said, *hashes, *keys, token, TOKEN_KEY, *SECRETS)
    assert "argon2" not in said
    assert "ValidationException" in said


def test_a_key_that_was_read_long_ago_is_not_told_either(
    empty_aws: object, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, signer = User("x", "x", 0, "x"), TokenSigner()
    token = signer.issue(user, lifetime=60)

    def fail(*arguments: Any, **_: Any) -> None:
        raise ValueError(arguments)

    for name, call_signer in (
        ("encode", lambda: signer.issue(user, lifetime=60)),
        ("decode", lambda: signer.verify(token)),
    ):
        forget_secrets()
        monkeypatch.setattr(f"shared.users.tokens.jwt.{name}", fail)
        try:
            call_signer()
        except ValueError:
            logs.logger.exception("it failed")
    assert [each["exception_name"] for each in records(written)] == ["ValueError"] * 2
    assert TOKEN_KEY not in written.getvalue()


def test_a_secret_that_cannot_be_encoded_hides_nothing_else(written: io.StringIO) -> None:
    logs.conceal("\ud800 lone surrogate")
    logs.logger.info("fine", text="a text, and \ud800 lone surrogate")
    assert records(written)[0]["text"] == "a text, and ***"


@pytest.mark.parametrize("model", [NewUser, LoginForm])
@pytest.mark.parametrize(
    "password", [["marker"], {"marker": "marker"}, "marker" * 1000, 123456789, "\ud800marker"]
)
def test_a_validation_error_holds_no_input(model: type[NewUser | LoginForm], password: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        model.parse({"username": "ada", "password": password})
    text = "".join(traceback.format_exception(raised.value))
    assert not {"marker'", "123456789"} & set(text.replace(",", " ").split())
    assert "markermarker" not in text
    assert "input_value" not in text


HOSTILE = [
    "a\nb",
    "a\r\nb",
    "a\u2028b\u2029c\x85d",
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "\x00",
    "\ud800 lone \udfff",
    '"}\n{"level":"ERROR","message":"forged"}',
    "\u202eright to left",
    "🗓" * 50_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "requestContext" in event(name)])
def test_nothing_of_a_client_leaves_its_place_in_the_log(
    empty_aws: object, written: io.StringIO, name: str, text: str
) -> None:
    sample = event(name)
    claims = {"sub": text, "jti": text}
    token = jwt.encode(claims, "k" * 40, headers={"kid": text}) if len(text) < 99 else text
    sample.update(
        path=f"/tasks/{text}",
        httpMethod=text,
        headers={"X": text},
        multiValueHeaders={
            text: [text],
            "Authorization": [f"Bearer {token}"],
            "Idempotency-Key": [text],
            "If-Match": [text],
            "User-Agent": [text],
        },
        multiValueQueryStringParameters={text: [text], "cursor": [text]},
    )
    sample["pathParameters"] = sample.get("pathParameters") and {"task_id": text}
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


def test_what_a_notification_tells_stays_one_record(empty_aws: object, written: io.StringIO) -> None:
    sender = load_function("send_notification")
    sample = event("send_notification")["Records"][0]
    for number, text in enumerate(HOSTILE):
        task = {"id": text, "title": text}
        message = {"type": "task.created", "id": f"{number}", "task": task, "request_id": text}
        answer = sender.handler({"Records": [{**sample, "body": json.dumps(message)}]}, LambdaContext())
        assert answer == {"batchItemFailures": []}
    sent = records(written)
    assert [each["message"] for each in sent] == ["notification sent"] * len(HOSTILE)
    assert [each["title"] for each in sent][:-1] == HOSTILE[:-1]
    assert len(sent[-1]["title"]) < logs.MAX_TEXT + 10


def test_a_password_cannot_rename_what_is_ours(empty_aws: object, written: io.StringIO) -> None:
    for word in ("task-api", "timestamp", "Function"):
        form = urlencode({"username": "ada", "password": word})
        load_function("login").handler(event("login", body=form), LambdaContext())
    assert {(each["message"], each["service"]) for each in records(written)} == {("answered", "task-api")}


def test_a_message_holds_no_secret_and_the_next_request_knows_none(written: io.StringIO) -> None:
    logs.conceal(PASSWORD)
    logs.logger.info(f"it is {PASSWORD}", number=1)
    logs.forget()
    logs.logger.info(f"it was {PASSWORD}")
    first, second = records(written)
    assert first["message"] == "it is ***"
    assert second["message"] == f"it was {PASSWORD}"


def test_a_short_password_of_redis_garbles_nothing(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:task@h")
    logs.logger.info("answered", path="/tasks/1")
    assert records(written)[0]["path"] == "/tasks/1"


class Resisting:
    """What neither JSON nor str can write."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


UNWRITABLE = [Resisting(), {("a", "tuple"): 1}, nested(100_000), float("nan"), "\ud800", {1, 2}, b"\xff"]


@pytest.mark.parametrize("value", UNWRITABLE, ids=lambda value: type(value).__name__)
def test_a_value_that_cannot_be_written_hides_no_other(written: io.StringIO, value: object) -> None:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        logs.logger.exception("it failed", value=value, task_id="x")
    (record,) = records(written)
    assert (record["message"], record["exception_name"], record["task_id"]) == (
        "it failed",
        "ZeroDivisionError",
        "x",
    )
    assert "division by zero" in record["exception"]


def test_a_message_that_cannot_be_written_hides_no_error(written: io.StringIO) -> None:
    error = ZeroDivisionError("marker")
    for message in ("%s and %s", Resisting()):
        trace = (type(error), error, None)
        record = logging.LogRecord("x", logging.ERROR, "x", 1, message, ("one",), trace)
        logs.logger.registered_handler.emit(record)
    first, second = records(written)
    assert first["exception_name"] == second["exception_name"] == "ZeroDivisionError"
    assert "marker" in first["exception"]


class Broken(io.StringIO):
    """An output that takes nothing."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError("nobody reads this")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("output", [Broken, closed])
@pytest.mark.parametrize("errors", [Broken, closed, io.StringIO])
def test_without_an_output_a_request_is_answered_all_the_same(
    empty_aws: object,
    monkeypatch: pytest.MonkeyPatch,
    output: Callable[[], Any],
    errors: Callable[[], Any],
) -> None:
    handler: Any = logs.logger.registered_handler
    monkeypatch.setattr(handler, "stream", output())
    monkeypatch.setattr(sys, "stdout", output())
    monkeypatch.setattr(sys, "stderr", errors())
    function = load_function("get_task")
    monkeypatch.setattr(function, "tasks", Failing(ZeroDivisionError("marker")))
    answer = function.handler(event("get_task"), LambdaContext())
    assert answer["statusCode"] == 500
    assert load_function("get_task").handler(event("get_task"), LambdaContext())["statusCode"] == 404
    if errors is io.StringIO:
        assert "marker" in sys.stderr.getvalue()  # type: ignore[attr-defined]
    rotation = load_function("rotate_token_key")
    monkeypatch.setattr(rotation, "rotation", Failing(ZeroDivisionError("marker")))
    with pytest.raises(ZeroDivisionError):
        rotation.handler(event("rotate_token_key"), LambdaContext())


def test_a_metric_that_cannot_be_written_is_no_reason_to_fail(
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

    try:
        deep(300)
    except ValueError:
        logs.logger.exception("it failed", values=["y" * 1000] * 1000)
    assert len(written.getvalue()) < 64_000
    (record,) = records(written)
    assert record["exception"].startswith("Traceback")
