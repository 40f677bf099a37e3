"""What the template promises to those who deploy it."""

from __future__ import annotations

import json
import re

import pytest

from tests.local_stack import ROOT
from tests.template import RESOURCES, of_type


@pytest.mark.parametrize("prefix", ["AWS::EC2::", "AWS::ElastiCache::"])
def test_without_a_cache_there_is_no_network(prefix: str) -> None:
    assert {RESOURCES[name].get("Condition") for name in of_type(prefix)} == {"HasCache"}


def test_what_users_wrote_outlives_the_stack() -> None:
    for name in ("TasksTable", "UsersTable"):
        table = RESOURCES[name]
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_nothing_leads_out_of_the_network() -> None:
    kinds = {RESOURCES[name]["Type"] for name in of_type("AWS::EC2::")}
    assert not kinds & {
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NatGateway",
        "AWS::EC2::EIP",
        "AWS::EC2::Route",
    }


def test_only_functions_that_use_the_cache_reach_it() -> None:
    functions = [RESOURCES[name]["Properties"] for name in of_type("AWS::Serverless::Function")]
    for function in functions:
        variables = function.get("Environment", {}).get("Variables", {})
        assert ("REDIS_URL" in variables) == ("VpcConfig" in function)
    (ingress,) = RESOURCES["CacheSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert ingress["SourceSecurityGroupId"] == {"Ref": "FunctionsSecurityGroup"}


def test_the_dashboard_is_json() -> None:
    widgets = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])["widgets"]
    assert len(widgets) >= 7


def test_the_dashboard_shows_every_metric() -> None:
    code = "".join(
        path.read_text() for folder in ("functions", "shared") for path in (ROOT / folder).rglob("*.py")
    )
    counted = set(re.findall(r'\bcount\("(\w+)"\)', code))
    assert len(counted) >= 10
    dashboard = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert counted <= set(re.findall(r'"(\w+)"', dashboard))


def test_every_alarm_is_published() -> None:
    for name in of_type("AWS::CloudWatch::Alarm"):
        alarm = RESOURCES[name]["Properties"]
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
