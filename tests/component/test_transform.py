"""The template as SAM transforms it, checked as CloudFormation would check it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from cfnlint.api import lint
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.nightly import nightly
from tests.template import RESOURCES, TEMPLATE, of_type

PUBLISHED = sorted(set(of_type("AWS::Serverless::Function")) - {"RotateTokenKeyFunction"})
"""The functions that have published versions."""


def deployed(build: str = "built", **parameters: str) -> dict[str, Any]:
    """The resources after the transform by SAM. Each build has another layer."""
    resources: dict[str, Any] = json.loads(_transformed(build, tuple(sorted(parameters.items()))))
    return resources


@cache
def _transformed(build: str, parameters: tuple[tuple[str, str], ...]) -> str:
    return transform(build, dict(parameters))


def transform(build: str, parameters: dict[str, str]) -> str:
    """Let SAM transform the template, which takes a tenth of a second."""
    template = copy.deepcopy(TEMPLATE)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://built/{name}"
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = f"s3://{build}/{name}"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    return json.dumps(translator.translate(template, parameters)["Resources"])


def test_every_caller_calls_the_live_version() -> None:
    resources = deployed().values()
    callers = [
        resource["Properties"]["FunctionName"]
        for resource in resources
        if resource["Type"] in {"AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping"}
    ]
    # Secrets Manager calls the function itself, so that function has no versions.
    callers.remove({"Fn::GetAtt": ["RotateTokenKeyFunction", "Arn"]})
    assert not [each for each in deployed() if re.match("RotateTokenKeyFunction.", each)]
    aliases = {f"{name}Aliaslive" for name in PUBLISHED}
    assert {caller["Ref"] for caller in callers} == aliases
    (api,) = (resource for resource in resources if resource["Type"] == "AWS::ApiGateway::RestApi")
    arns = re.findall(r"functions/\$\{([^}]*)\}", json.dumps(api["Properties"]["Body"]["paths"]))
    assert {arn.strip() for arn in arns} <= aliases
    (authorizer,) = api["Properties"]["Body"]["components"]["securitySchemes"].values()
    assert "${AuthorizeFunction.Arn}:live" in json.dumps(authorizer["x-amazon-apigateway-authorizer"])


def parameters_of(value: Any) -> Iterator[str]:
    """The names of the parameters that a property depends on."""
    if isinstance(value, list):
        for each in value:
            yield from parameters_of(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "Ref" and each in TEMPLATE["Parameters"]:
                yield each
            elif key == "Fn::Sub":
                yield from set(re.findall(r"\$\{(\w+)\}", str(each))) & TEMPLATE["Parameters"].keys()
            elif key == "Fn::If":
                yield from parameters_of(TEMPLATE["Conditions"][each[0]])
                yield from parameters_of(each[1:])
            else:
                yield from parameters_of(each)


@pytest.mark.parametrize("function", PUBLISHED)
def test_a_changed_parameter_publishes_a_new_version(function: str) -> None:
    resources = deployed()
    (version,) = (
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Version"
        and resource["Properties"]["FunctionName"] == {"Ref": function}
    )
    used = set(parameters_of(resources[function]["Properties"]))
    assert "Architecture" in used
    # And no others: Lambda refuses to publish a version that equals the one before.
    named = set(parameters_of(version["Description"]))
    assert named == used, (
        f"Name these parameters in VersionDescription of {function} in template.yaml, and no others: "
        f"{', '.join(sorted(used))}. It names {', '.join(sorted(named))}."
    )


def test_another_layer_publishes_a_new_version_of_every_function() -> None:
    versions = [
        {
            name
            for name, resource in json.loads(transform(build, {})).items()
            if resource["Type"] == "AWS::Lambda::Version"
        }
        for build in ("built", "built", "another")
    ]
    assert versions[0] == versions[1]
    assert not versions[0] & versions[2]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        pytest.param({"Canary": "true", "Cache": "disabled", "Architecture": "x86_64"}, marks=nightly),
        pytest.param(
            {"Canary": "true", "SnapStart": "PublishedVersions", "DeletionProtection": "true"}, marks=nightly
        ),
        pytest.param(
            {
                "Firewall": "enabled",
                "AccessLogs": "enabled",
                "Objectives": "enabled",
                "AlarmEmail": "ops@example.com",
                "MonthlyBudget": "50",
                "Zones": "us-east-1a,us-east-1b",
            },
            marks=nightly,
        ),
    ],
    ids=["default", "no cache", "prod", "everything"],
)
def test_the_transformed_template_passes_cfn_lint(parameters: dict[str, str]) -> None:
    chosen = {name: {"Default": value} for name, value in parameters.items()}
    template = {
        **{name: TEMPLATE[name] for name in ("AWSTemplateFormatVersion", "Conditions", "Outputs")},
        "Parameters": {
            name: {**TEMPLATE["Parameters"][name], **chosen.get(name, {})} for name in TEMPLATE["Parameters"]
        },
        "Resources": deployed(**parameters),
    }
    problems = lint(json.dumps(template), regions=["us-east-1", "eu-west-1"])
    # Only SAM reads Canary.
    assert [str(each) for each in problems if each.message != "Parameter Canary not used."] == []


def test_alarms_roll_a_canary_back() -> None:
    assert not [each for each in deployed().values() if each["Type"].startswith("AWS::CodeDeploy::")]
    resources = deployed(Canary="true")
    groups = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::CodeDeploy::DeploymentGroup"
    }
    assert groups.keys() == {f"{function}DeploymentGroup" for function in PUBLISHED}
    for name, group in groups.items():
        alarms = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]
        own = name.replace("FunctionDeploymentGroup", "ErrorsAlarm")
        assert alarms == ["ApiErrorsAlarm", "ApiLatencyAlarm", "UnexpectedErrorsAlarm", own]
        assert set(alarms) <= RESOURCES.keys()
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    conditional = {name for name in groups if "Condition" in resources[name]}
    assert conditional == {"InvalidateTaskCacheFunctionDeploymentGroup"}
    aliases = [each for each in resources.values() if each["Type"] == "AWS::Lambda::Alias"]
    updated_by = {
        alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]
        for alias in aliases
    }
    assert updated_by == groups.keys()


@pytest.mark.parametrize("function", PUBLISHED)
def test_the_errors_of_each_alias_raise_an_alarm(function: str) -> None:
    resource = RESOURCES[function.replace("Function", "ErrorsAlarm")]
    alarm = resource["Properties"]
    if function == "AuthorizeFunction":  # its alarm subtracts refusals of tokens that may become valid
        errors = next(each["MetricStat"]["Metric"] for each in alarm["Metrics"] if each["Id"] == "errors")
        alarm = {**errors, "Threshold": 0}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/Lambda", "Errors", 0)
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == {
        "FunctionName": {"Ref": function},
        "Resource": {"Fn::Sub": f"${{{function}}}:live"},
    }
    assert resource.get("Condition") == RESOURCES[function].get("Condition")


OF_A_VERSION = {
    "Architectures",
    "Code",
    "Environment",
    "Handler",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
}
"""The settings that are part of a version. See
https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html"""


@pytest.mark.parametrize("function", PUBLISHED)
def test_no_function_has_settings_outside_of_its_version(function: str) -> None:
    """If one changed, SAM would publish a version that Lambda refuses, because it equals the one before.

    See https://github.com/aws/serverless-application-model/issues/3281
    """
    properties = deployed()[function]["Properties"]
    assert properties.pop("Tags") == [{"Key": "lambda:createdBy", "Value": "SAM"}]
    assert properties.keys() <= OF_A_VERSION


def test_tracing_is_off_unless_its_parameter_turns_it_on() -> None:
    resources = deployed().values()
    functions = [each["Properties"] for each in resources if each["Type"] == "AWS::Lambda::Function"]
    assert all(each["TracingConfig"] == {"Mode": {"Ref": "Tracing"}} for each in functions)
    (stage,) = (each["Properties"] for each in resources if each["Type"] == "AWS::ApiGateway::Stage")
    assert stage["TracingEnabled"] == {"Fn::If": ["HasTracing", True, False]}
    assert TEMPLATE["Conditions"]["HasTracing"] == {"Fn::Equals": [{"Ref": "Tracing"}, "Active"]}
    assert TEMPLATE["Parameters"]["Tracing"]["Default"] == "PassThrough"


def test_snapshots_are_kept_warm() -> None:
    """Lambda refuses the first call of a snapshot that nobody called for 14 days."""
    resources = deployed()
    snapshots = {name for name in PUBLISHED if "SnapStart" in resources[name]["Properties"]}
    schedules = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Events::Rule"
        and resource["Properties"].get("ScheduleExpression") == "rate(7 days)"
    }
    called = {target["Arn"]["Ref"] for each in schedules.values() for target in each["Targets"]}
    assert called == {f"{name}Aliaslive" for name in snapshots}
    for schedule in schedules.values():
        assert schedule["State"] == {"Fn::If": ["HasSnapStart", "ENABLED", "DISABLED"]}


def references(value: Any) -> Iterator[str]:
    """The resources that a value refers to."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "Ref":
                yield each
            elif key == "Fn::GetAtt":
                yield each[0]
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{(\w+)", str(each))
            else:
                yield from references(each)


def dependencies(resources: dict[str, Any], name: str) -> set[str]:
    """The resources that must exist as long as a resource does."""
    direct = {*references(resources[name].get("Properties", {})), *resources[name].get("DependsOn", [])}
    direct &= resources.keys()
    return direct.union(*(dependencies(resources, each) for each in direct))


def test_functions_leave_the_network_before_their_roles_are_deleted() -> None:
    resources = deployed()
    in_network = [name for name in PUBLISHED if "VpcConfig" in resources[name]["Properties"]]
    assert in_network
    for name in ("SubnetA", "SubnetB", "FunctionsSecurityGroup"):
        outlived = dependencies(resources, name)
        for function in in_network:
            role = resources[function]["Properties"]["Role"]["Fn::GetAtt"][0]
            assert role in outlived, (
                f"Add {role} to &network-roles, DependsOn of {name} in template.yaml: "
                f"{function} is in the network."
            )
        assert "NetworkPolicy" in outlived
    # Functions also leave the network when the cache is switched off, and need the policy then.
    assert "Condition" not in resources["NetworkPolicy"]


def test_a_changed_cors_origin_is_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage serves the API as it was last deployed."""
    deployments = set()
    for day, origin in enumerate(("*", "https://app.example.com")):
        clock = SimpleNamespace(time=lambda day=day: day * 86_400.0)
        monkeypatch.setattr("samtranslator.model.apigateway.time", clock)
        deployments |= {
            name
            for name, resource in json.loads(transform("built", {"CorsOrigin": origin})).items()
            if resource["Type"] == "AWS::ApiGateway::Deployment"
        }
    assert len(deployments) == 2
