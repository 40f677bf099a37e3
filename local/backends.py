"""What the functions call on this machine: moto's server with the template's resources, and a Redis server.

Runs as a process of its own, `python -m local.backends`, so that it and the gateway do not share an
interpreter. It reads one line of JSON from standard input (`BackendsConfig`), answers with one (`Endpoints`,
or `{"error": …}`), and ends when its standard input does: with the stack, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import string
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from local.errors import LocalStackError
from local.redis_server import RedisServer
from local.state import StateFile

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import StreamSpecificationTypeDef
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

LOOPBACK = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT = "123456789012"
"""The account that moto and SAM CLI make up."""
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "*",
    "no_proxy": "*",
}
"""What leads every AWS client here, whatever the user's own environment and files say of AWS."""
_SERVICES: tuple[Literal["dynamodb", "dynamodbstreams", "secretsmanager", "sqs"], ...] = (
    "dynamodb",
    "dynamodbstreams",
    "secretsmanager",
    "sqs",
)
_KEPT_SERVICES = ("DynamoDB_", "secretsmanager")
_READ_OPERATIONS = ("Get", "Query", "Scan", "Describe", "List", "BatchGet", "TransactGet")
_QUEUE_ATTRIBUTES: tuple[QueueAttributeNameType, ...] = (
    "DelaySeconds",
    "MessageRetentionPeriod",
    "VisibilityTimeout",
)
_MAX_ITERATORS = 100
_SAVE_INTERVAL = 2
"""Seconds between saves while things change; also what a crash can cost."""
_START_TIMEOUT = 60
_STOP_TIMEOUT = 30


@dataclass(frozen=True)
class BackendsConfig:
    """What the backends are made of."""

    resources: Mapping[str, Any]
    """The template's resources by logical id, which is the name each has here."""
    state: str | None
    """The file that keeps their content, if any does."""
    redis: str
    """Which Redis: `auto`, `none`, the name of a program to start, or the URL of one that runs."""
    host: str
    """The address they listen on."""


@dataclass(frozen=True)
class Endpoints:
    """Where the backends are."""

    aws: str
    """URL of AWS."""
    redis: str
    """URL of Redis; empty when there is none."""
    redis_program: str
    """What Redis is, for people."""


class Backends:
    """The backends' process, as the stack sees it."""

    def __init__(self) -> None:
        """Start the process; it loads while the caller reads the template."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.backends"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C must not end it before the stack has
        )

    def configure(self, config: BackendsConfig) -> Endpoints:
        """Make the resources, restore their content and start Redis.

        Raises:
            LocalStackError: the state file is damaged or in use, Redis does not start, or the process died.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 (both are pipes)
        try:
            stdin.write(json.dumps(asdict(config)) + "\n")
            stdin.flush()
            answer = json.loads(stdout.readline())
        except (OSError, ValueError) as error:
            raise LocalStackError("The backends did not start; the reason stands above.") from error
        if "error" in answer:
            raise LocalStackError(answer["error"])
        return Endpoints(**answer)

    def close(self) -> None:
        """Let the process save what it has, and end it."""
        self._process.communicate(timeout=_STOP_TIMEOUT)


def main() -> None:
    """Serve until standard input ends."""
    # What is needed later is imported and made now, because the stack takes its time to read the template.
    import boto3
    import redis  # noqa: F401
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]
        # moto looks into its folders for each request.
        get_backend_for_host = cache(DomainDispatcherApplication.get_backend_for_host)

    class Handler(MotoRequestHandler):  # type: ignore[misc]
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or every answer waits for the client's delayed acknowledgement

        def log_request(self, *_: object) -> None:
            """Say nothing: the gateway logs the requests that matter."""

    dispatcher = Dispatcher(create_backend_app)
    for service in _SERVICES:
        dispatcher.app_instances[service] = create_backend_app(service)
        boto3.client(service, endpoint_url=f"http://{LOOPBACK}")
    aws = SerialApplication(dispatcher)
    line = sys.stdin.readline()
    if not line:
        return  # the stack gave up before it knew what it needs
    config = BackendsConfig(**json.loads(line))
    server = make_server(config.host, 0, aws, threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://{config.host}:{server.server_port}"
    with contextlib.ExitStack() as stack:
        try:
            redis_url, program = _redis(config.redis, config.host, stack)
            file = StateFile(Path(config.state)) if config.state else None
            content = Content(url, config.resources)
            content.create(file.read() if file else {"tables": {}, "secrets": {}})
        except LocalStackError as error:
            print(json.dumps({"error": str(error)}), flush=True)
            return
        print(json.dumps(asdict(Endpoints(url, redis_url, program))), flush=True)
        stopped = threading.Event()
        threading.Thread(target=_set_at_end_of_input, args=(stopped,), daemon=True).start()
        if file is None:
            stopped.wait()
        else:
            _keep_saving(file, content, aws, stopped)


def _redis(choice: str, host: str, stack: contextlib.ExitStack) -> tuple[str, str]:
    """Start Redis, until the stack closes, if it is to be started; returns its URL and what it is."""
    if choice == "none":
        return "", "none: nothing is cached"
    if "://" in choice:
        from shared.redis_connection import RedisConnection

        try:
            RedisConnection(choice)
        except (OSError, ValueError) as error:
            raise LocalStackError(f"{error}. Give another --redis.") from error
        return choice, "your own"
    server = RedisServer(None if choice == "auto" else choice, host=host)
    stack.callback(server.stop)
    _begin_generation(server.url)
    return server.url, server.program


def _begin_generation(url: str) -> None:
    """Let the cache take pages at once: nobody can have written without telling a server that is new."""
    import redis

    from shared.page_cache import GENERATION

    with redis.Redis.from_url(url) as client:
        client.set(GENERATION, "first")


def _keep_saving(file: StateFile, content: Content, aws: SerialApplication, stopped: threading.Event) -> None:
    """Save what changed every few seconds, and a last time when the stack stops."""
    saved = -1
    while True:
        stopping = stopped.wait(_SAVE_INTERVAL)
        if saved != aws.writes:
            saved, state = consistent(content.read, lambda: aws.writes)
            file.write(state)
        if stopping:
            return


def _set_at_end_of_input(event: threading.Event) -> None:
    sys.stdin.read()
    event.set()


class SerialApplication:
    """Lets moto handle one request at a time, and counts the writes of what is kept.

    moto undoes a failed transaction by putting back a copy of the table that it made before: another
    request in between would be lost.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = threading.Lock()
        self.writes = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle a request."""
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")
        with self._lock:
            if service.startswith("DynamoDBStreams"):
                _mend_iterators()
            body = b"".join(self._application(environ, start_response))
            if service.startswith(_KEPT_SERVICES) and not operation.startswith(_READ_OPERATIONS):
                self.writes += 1
        return [body]


def _mend_iterators() -> None:
    """Let moto's stream iterators read what is in the stream now, and forget the older ones.

    Once moto has undone a failed transaction by putting back its copy of the table, an iterator would still
    read the stream of the other one, with the records of what did not happen. And moto keeps every iterator
    there ever was, while pollers make several a second.
    """
    from moto.dynamodbstreams.models import dynamodbstreams_backends

    backend = dynamodbstreams_backends[ACCOUNT][REGION]
    iterators = backend.shard_iterators
    while len(iterators) > _MAX_ITERATORS:
        del iterators[next(iter(iterators))]
    for iterator in iterators.values():
        iterator.stream_shard = backend.dynamodb.get_table(iterator.stream_shard.table.name).stream_shard


def consistent(read: Callable[[], dict[str, Any]], count: Callable[[], int]) -> tuple[int, dict[str, Any]]:
    """Read what takes several requests to read, again until no write came in between."""
    while True:
        before = count()
        state = read()
        if count() == before:
            return before, state


class Content:
    """The tables, secrets and queues of the template. What is in the queues is not kept."""

    def __init__(self, url: str | None, resources: Mapping[str, Any]) -> None:
        import boto3

        self._dynamodb: DynamoDBClient = boto3.client("dynamodb", endpoint_url=url)
        self._secrets: SecretsManagerClient = boto3.client("secretsmanager", endpoint_url=url)
        self._sqs: SQSClient = boto3.client("sqs", endpoint_url=url)
        self._tables = _of_type(resources, "AWS::DynamoDB::Table")
        self._secret_properties = _of_type(resources, "AWS::SecretsManager::Secret")
        self._queues = _of_type(resources, "AWS::SQS::Queue")

    def create(self, state: Mapping[str, Any]) -> None:
        """Make them all, with the content they had before."""
        for name, properties in self._tables.items():
            self._create_table(name, properties)
            for item in state["tables"].get(name, []):
                self._dynamodb.put_item(TableName=name, Item=item)
            # Not before, because what is restored did not happen now.
            if stream := properties.get("StreamSpecification"):
                view = stream["StreamViewType"]
                specification: StreamSpecificationTypeDef = {"StreamEnabled": True, "StreamViewType": view}
                self._dynamodb.update_table(TableName=name, StreamSpecification=specification)
        for name, properties in self._secret_properties.items():
            value = state["secrets"].get(name) or _generate(properties.get("GenerateSecretString", {}))
            # The same version whenever it has the same value, because tokens name the version they have.
            version = str(uuid.uuid5(uuid.NAMESPACE_OID, value))
            self._secrets.create_secret(Name=name, SecretString=value, ClientRequestToken=version)
        # Dead-letter queues first: the others refer to them.
        for name, properties in sorted(self._queues.items(), key=lambda queue: "RedrivePolicy" in queue[1]):
            self._create_queue(name, properties)

    def read(self) -> dict[str, Any]:
        """Read all that is in them."""
        pages = self._dynamodb.get_paginator("scan")
        return {
            "tables": {
                name: [item for page in pages.paginate(TableName=name) for item in page["Items"]]
                for name in self._tables
            },
            "secrets": {
                # moto's default is the version that it made first.
                name: self._secrets.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")["SecretString"]
                for name in self._secret_properties
            },
        }

    def _create_queue(self, name: str, properties: Mapping[str, Any]) -> None:
        attributes: dict[QueueAttributeNameType, str] = {
            key: str(properties[key]) for key in _QUEUE_ATTRIBUTES if key in properties
        }
        if redrive := properties.get("RedrivePolicy"):
            target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{logical_id(redrive['deadLetterTargetArn'])}"
            attributes["RedrivePolicy"] = json.dumps({**redrive, "deadLetterTargetArn": target})
        self._sqs.create_queue(QueueName=name, Attributes=attributes)

    def _create_table(self, name: str, properties: Mapping[str, Any]) -> None:
        optional = {
            key: properties[key]
            for key in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
            if key in properties
        }
        self._dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=properties["AttributeDefinitions"],
            KeySchema=properties["KeySchema"],
            BillingMode="PAY_PER_REQUEST",
            **optional,
        )


def _of_type(resources: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource.get("Properties", {})
        for name, resource in resources.items()
        if resource["Type"] == kind
    }


def logical_id(reference: Any) -> str:
    """Find which resource is referred to, in what SAM CLI makes of `!Ref` and `!GetAtt`."""
    if isinstance(reference, dict) and "Fn::GetAtt" in reference:
        return str(reference["Fn::GetAtt"][0])
    if isinstance(reference, str):
        return reference.rpartition(":")[2]
    raise LocalStackError(f"The template's reference {reference!r} is not one that the local stack knows.")


def _generate(rules: Mapping[str, Any]) -> str:
    """Make a secret of the length that the template asks for, of letters and digits."""
    return "".join(
        secrets.choice(string.ascii_letters + string.digits) for _ in range(rules.get("PasswordLength", 32))
    )


if __name__ == "__main__":
    main()
