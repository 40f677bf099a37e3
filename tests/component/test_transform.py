"""What SAM makes of the template, and what CloudFormation would say of that."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from cfnlint.api import lint
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.template import RESOURCES, TEMPLATE, of_type


def deployed(build: str = "built", **parameters: str) -> dict[str, Any]:
    """What CloudFormation is given once SAM has replaced its own resources; each build has other layers."""
    template = copy.deepcopy(TEMPLATE)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://built/{name}"
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = f"s3://{build}/{name}"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    resources: dict[str, Any] = translator.translate(template, parameters)["Resources"]
    return resources


def test_whatever_calls_a_function_calls_the_version_that_is_live() -> None:
    resources = deployed().values()
    callers = [
        resource["Properties"]["FunctionName"]
        for resource in resources
        if resource["Type"] in {"AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping"}
    ]
    # Secrets Manager wants the function itself.
    callers.remove({"Fn::GetAtt": ["RotateTokenKeyFunction", "Arn"]})
    names = set(of_type("AWS::Serverless::Function")) - {"RotateTokenKeyFunction"}
    aliases = {f"{name}Aliaslive" for name in names}
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


@pytest.mark.parametrize("function", of_type("AWS::Serverless::Function"))
def test_a_changed_parameter_is_a_new_version(function: str) -> None:
    resources = deployed()
    (version,) = (
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Version"
        and resource["Properties"]["FunctionName"] == {"Ref": function}
    )
    used = set(parameters_of(resources[function]["Properties"]))
    assert {"Architecture", "SnapStart"} <= used
    # No more either: Lambda refuses to publish a version that is like the one before.
    assert set(parameters_of(version["Description"])) == used


def test_another_layer_is_a_new_version_of_every_function() -> None:
    versions = [
        {name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"}
        for resources in (deployed(), deployed(), deployed(build="another"))
    ]
    assert versions[0] == versions[1]
    assert not versions[0] & versions[2]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"Canary": "true", "SnapStart": "PublishedVersions", "DeletionProtection": "true"},
        {"Canary": "true", "Cache": "disabled", "Architecture": "x86_64"},
    ],
    ids=["default", "prod", "no cache"],
)
def test_cloudformation_gets_no_cycle_and_no_wrong_value(parameters: dict[str, str]) -> None:
    chosen = {name: {"Default": value} for name, value in parameters.items()}
    template = {
        **{name: TEMPLATE[name] for name in ("AWSTemplateFormatVersion", "Conditions", "Outputs")},
        "Parameters": {
            name: {**TEMPLATE["Parameters"][name], **chosen.get(name, {})} for name in TEMPLATE["Parameters"]
        },
        "Resources": deployed(**parameters),
    }
    problems = lint(json.dumps(template), regions=["us-east-1", "eu-west-1"])
    # Canary is used where SAM, and not CloudFormation, reads it.
    assert [str(each) for each in problems if each.message != "Parameter Canary not used."] == []


def test_a_canary_is_taken_back_by_alarms() -> None:
    assert not [each for each in deployed().values() if each["Type"].startswith("AWS::CodeDeploy::")]
    resources = deployed(Canary="true")
    groups = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::CodeDeploy::DeploymentGroup"
    }
    assert len(groups) == len(of_type("AWS::Serverless::Function"))
    for group in groups.values():
        alarms = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]
        assert alarms == ["ApiErrorsAlarm", "ApiLatencyAlarm", "EventErrorsAlarm"]
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
