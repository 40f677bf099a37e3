"""ministack's server, patched where the template needs more: run as `python -m tests.emulator.bridge`.

ministack deploys templates, runs functions and serves REST APIs. Each function below patches one thing that
it lacks or does differently from AWS; remove the patch when ministack supports it. Environment variables:

- `BRIDGE_PYTHON`: the interpreter of the functions' runtime
- `BRIDGE_REDIS`: the host and port of the Redis with TLS that stands in for ElastiCache
- `BRIDGE_CA`: the file of its certificate, which functions must trust
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import boto3
from ministack import app as server
from ministack.core import lambda_runtime as runtime
from ministack.services import apigateway_v1 as gateway
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners as cloudformation
from ministack.services.lambda_svc import _resolve_layer_zip

_ANY_METRIC = {"Namespace": "none", "MetricName": "none", "Period": 60, "Statistic": "Sum"}
MAX_BODY = 10 * 1024 * 1024
_HEADERS = 6
"""The index of the headers among the arguments of `_build_lambda_event_v1`."""


def use_the_interpreter_of_the_runtime() -> None:
    """ministack runs functions in its own interpreter."""
    detect = runtime._detect_runtime_binary

    def detect_binary(name: str) -> tuple[str, str]:
        binary, script = detect(name)
        return (os.environ["BRIDGE_PYTHON"] if name.startswith("python") else binary), script

    runtime._detect_runtime_binary = detect_binary


def merge_layers() -> None:
    """Lambda merges a function's layers in /opt; ministack gives each layer its own folder.

    Lambda's runtime also has boto3, on which a function without layers relies.
    """
    spawn = runtime.Worker._spawn

    def spawn_with_opt(worker: Any) -> None:
        whole = worker.config
        worker.config = {**copy.deepcopy(whole), "Layers": []}
        variables = worker.config.setdefault("Environment", {}).setdefault("Variables", {})
        if not whole.get("Layers"):
            variables["_LAMBDA_LAYERS_DIRS"] = str(Path(boto3.__file__).parents[1])
        else:
            opt = _opt(filter(None, map(_resolve_layer_zip, whole["Layers"])))
            for name, value in variables.items():
                variables[name] = value.replace("=/opt/", f"={opt}/")
            variables["_LAMBDA_LAYERS_DIRS"] = str(opt)
        try:
            spawn(worker)
        finally:
            worker.config = whole

    runtime.Worker._spawn = spawn_with_opt


def _opt(zips: Iterable[bytes]) -> Path:
    layers = list(zips)
    digest = hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in layers)).hexdigest()
    opt = Path(tempfile.gettempdir(), f"opt-{digest[:16]}")
    if not opt.is_dir():
        made = Path(tempfile.mkdtemp(prefix="opt-"))
        for layer in layers:
            zipfile.ZipFile(io.BytesIO(layer)).extractall(made)
        with (made / "python/botocore/cacert.pem").open("a") as bundle:
            bundle.write("\n" + Path(os.environ["BRIDGE_CA"]).read_text())
        try:
            made.rename(opt)
        except OSError:  # another process was faster
            shutil.rmtree(made)
    return opt


def reserve_concurrency_of_all_versions() -> None:
    """ministack ignores reserved concurrency in calls of an alias. It then returns 429; AWS returns 502."""
    reserved = lambda_svc._reserved_concurrency

    def reserved_of_all_versions(_version: Any, config: dict[str, Any]) -> int | None:
        return reserved(lambda_svc._functions.get(config["FunctionName"]), config)

    lambda_svc._reserved_concurrency = reserved_of_all_versions


def import_gateway_and_mock_responses() -> None:
    """ministack's OpenAPI import drops gateway responses and the responses of MOCK integrations (CORS)."""
    import_api, import_operation = gateway._import_rest_api, gateway._import_operation

    def import_with_responses(spec: dict[str, Any], base: Any = None) -> str:
        api_id: str = import_api(spec, base)
        for kind, response in spec.get("x-amazon-apigateway-gateway-responses", {}).items():
            gateway._put_gateway_response(api_id, kind, response)
        return api_id

    def import_with_mock(api_id: str, resource: str, method: str, operation: Any, *more: Any) -> None:
        import_operation(api_id, resource, method, operation, *more)
        integration = (operation or {}).get("x-amazon-apigateway-integration", {})
        if str(integration.get("type", "")).upper() == "MOCK":
            imported = gateway._resources[api_id][resource]["resourceMethods"][method]
            imported["methodIntegration"]["requestTemplates"] = integration.get("requestTemplates", {})
            for pattern, response in integration.get("responses", {}).items():
                status = str(response.get("statusCode", 200))
                selected = {**response, "selectionPattern": "" if pattern == "default" else pattern}
                gateway._put_integration_response(api_id, resource, method, status, selected)

    gateway._import_rest_api, gateway._import_operation = import_with_responses, import_with_mock


def keep_the_id_of_an_updated_api() -> None:
    """In ministack, a changed body creates another API, with another id and without stages."""
    handlers = cloudformation._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]
    update = handlers["update"]

    def update_in_place(api_id: str, old: Any, new: Any, stack: str, logical_id: str | None = None) -> Any:
        if new.get("Body") == old.get("Body"):
            return update(api_id, old, new, stack, logical_id)
        made, _ = cloudformation._apigw_rest_api_create(logical_id or api_id, new, stack)
        for store in (
            gateway._resources,
            gateway._authorizers_v1,
            gateway._gateway_responses,
            gateway._models,
        ):
            store[api_id] = store.get(made, {})
        gateway._rest_apis[api_id] = {**gateway._rest_apis[made], "id": api_id}
        gateway._delete_rest_api(made)
        return api_id, cloudformation._apigw_rest_api_attrs(api_id)

    handlers["update"] = update_in_place


def compress_responses() -> None:
    """ministack stores MinimumCompressionSize but compresses nothing."""
    execute = gateway.handle_execute

    async def compressed(api_id: str, stage: Any, method: Any, path: Any, headers: Any, *more: Any) -> Any:
        status, sent, body = await execute(api_id, stage, method, path, headers, *more)
        least = gateway._rest_apis.get(api_id, {}).get("minimumCompressionSize")
        is_wanted = re.search(r"\bgzip\b", gateway._header_ci(headers, "accept-encoding") or "")
        if least is not None and is_wanted and len(body) >= int(least):
            return status, {**sent, "Content-Encoding": "gzip"}, gzip.compress(body)
        return status, sent, body

    gateway.handle_execute = compressed


def complete_events() -> None:
    """ministack's events lack the domain name and X-Forwarded-*, and authorizers' also the request's id."""
    execute, build = gateway._execute_in_scope, gateway._build_lambda_event_v1
    ask = gateway._invoke_authorizer_lambda
    request_id: ContextVar[str] = ContextVar("request_id")

    async def execute_with_id(request: Any, *more: Any) -> Any:
        request_id.set(request["request_id"])
        return await execute(request, *more)

    async def ask_with_id(authorizer: Any, event: Any, *more: Any) -> Any:
        event["requestContext"]["requestId"] = request_id.get()
        return await ask(authorizer, event, *more)

    def build_whole(*arguments: Any, **named: Any) -> Any:
        headers = arguments[_HEADERS]
        forwarded = {
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
            "x-forwarded-port": os.environ["GATEWAY_PORT"],
        }
        whole = (*arguments[:_HEADERS], {**headers, **forwarded}, *arguments[_HEADERS + 1 :])
        event = build(*whole, **named)
        event["requestContext"]["domainName"] = gateway._header_ci(headers, "host")
        event["requestContext"]["requestId"] = request_id.get()
        return event

    gateway._execute_in_scope, gateway._build_lambda_event_v1 = execute_with_id, build_whole
    gateway._invoke_authorizer_lambda = ask_with_id


def answer_large_requests_and_failed_functions() -> None:
    """ministack lacks the limit of 10 MB, and applies no gateway response if a function fails."""
    execute, invoke = gateway._execute_in_scope, gateway._invoke_lambda_proxy_v1

    async def within_limit(
        request: Any, api: str, stage: str, method: Any, path: Any, headers: Any, body: Any, *more: Any
    ) -> Any:
        if len(body or b"") > MAX_BODY:
            request["stage"] = gateway._stages_v1[api][stage]
            return gateway._gw_error("REQUEST_TOO_LARGE", "Request Too Large")
        return await execute(request, api, stage, method, path, headers, body, *more)

    async def with_response(*arguments: Any, **named: Any) -> Any:
        response = await invoke(*arguments, **named)
        if isinstance(response, tuple) and response[0] == 502 and set(response[1]) == {"Content-Type"}:
            return gateway._gw_error("DEFAULT_5XX", "Internal server error")
        return response

    gateway._execute_in_scope, gateway._invoke_lambda_proxy_v1 = within_limit, with_response


def stub_unknown_resources() -> None:
    """ministack lacks some types of resource. The cache becomes our Redis; the others do nothing.

    It also lacks metric-math alarms. They become plain alarms, because nothing evaluates alarms here.
    """

    def known(kind: str, attributes: Callable[[Any], dict[str, str]]) -> None:
        cloudformation._RESOURCE_HANDLERS[kind] = {
            "create": lambda name, properties, stack: (f"{stack}-{name}", attributes(properties)),
            "update": lambda name, _old, new, _stack: (name, attributes(new)),
            "delete": lambda _name, _properties: None,
        }

    record = cloudformation._cw_metric_alarm_record

    def record_any(name: str, properties: dict[str, Any]) -> Any:
        known = {key: value for key, value in properties.items() if key != "Metrics"}
        return record(name, known if known == properties else {**_ANY_METRIC, **known})

    cloudformation._cw_metric_alarm_record = record_any
    host, _, port = os.environ["BRIDGE_REDIS"].rpartition(":")
    known("AWS::ElastiCache::ServerlessCache", lambda _: {"Endpoint.Address": host, "Endpoint.Port": port})
    known("AWS::CloudWatch::CompositeAlarm", lambda _: {})
    known("AWS::EC2::SecurityGroupEgress", lambda _: {})
    known("AWS::Logs::QueryDefinition", lambda _: {})
    known("AWS::SecretsManager::RotationSchedule", lambda _: {})


def convert_numeric_parameters() -> None:
    """CloudFormation converts a parameter to a number where a property needs one; ministack does not."""
    handlers = cloudformation._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create = handlers["create"]

    def create_with_numbers(name: str, properties: dict[str, Any], *more: Any) -> Any:
        scaling = {key: int(value) for key, value in properties.get("ScalingConfig", {}).items()}
        return create(name, {**properties, **({"ScalingConfig": scaling} if scaling else {})}, *more)

    handlers["create"] = create_with_numbers


def serve_the_api_by_its_stage() -> None:
    """Serve `/v1` at the server's address, because not every machine resolves names under localhost."""
    serve = server.app

    async def serve_stage(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if path == "/v1" or path.startswith("/v1/"):
            (api_id,) = gateway._rest_apis
            prefix = f"/_aws/execute-api/{api_id}"
            raw = scope.get("raw_path", path.encode())
            scope = {**scope, "path": prefix + path, "raw_path": prefix.encode() + raw}
        await serve(scope, receive, send)

    server.app = serve_stage


if __name__ == "__main__":
    for bridge in (
        use_the_interpreter_of_the_runtime,
        merge_layers,
        reserve_concurrency_of_all_versions,
        import_gateway_and_mock_responses,
        keep_the_id_of_an_updated_api,
        compress_responses,
        complete_events,
        answer_large_requests_and_failed_functions,
        stub_unknown_resources,
        convert_numeric_parameters,
        serve_the_api_by_its_stage,
    ):
        bridge()
    server.main()
