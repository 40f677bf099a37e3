"""What the template guarantees to those who deploy it."""

from __future__ import annotations

import json
import re
import tomllib
from http import HTTPStatus
from typing import Any

import pytest

from shared.api.problems import phrase
from tests.local_stack import ROOT
from tests.template import FUNCTIONS, RESOURCES, TEMPLATE, Function, lines_of, of_type

MAX_LINES_OF_AN_ENDPOINT = 40


@pytest.mark.parametrize("prefix", ["AWS::EC2::", "AWS::ElastiCache::"])
def test_without_a_cache_there_is_no_network(prefix: str) -> None:
    assert {RESOURCES[name].get("Condition") for name in of_type(prefix)} == {"HasCache"}


def test_tables_outlive_the_stack() -> None:
    for name in ("TasksTable", "UsersTable"):
        table = RESOURCES[name]
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_network_has_no_way_to_the_internet() -> None:
    kinds = {RESOURCES[name]["Type"] for name in of_type("AWS::EC2::")}
    assert not kinds & {
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NatGateway",
        "AWS::EC2::EIP",
        "AWS::EC2::Route",
    }


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=str)
def test_only_functions_with_the_cache_are_in_the_network(function: Function) -> None:
    uses_cache = "REDIS_URL" in function.variables
    policies = RESOURCES[function.role]["Properties"]["ManagedPolicyArns"]
    parts = (
        ("VpcConfig", "VpcConfig" in function.properties, function.logical_id, "`<<: *cache-function`"),
        ("!Ref NetworkPolicy", {"Ref": "NetworkPolicy"} in policies, function.role, "`<<: *cache-role`"),
    )
    advice = [
        f"Give {resource} {part} in template.yaml, as {anchor} does: {function.logical_id} has REDIS_URL."
        if uses_cache
        else f"Remove {part} from {resource} in template.yaml, or give {function.logical_id} REDIS_URL."
        for part, is_there, resource, anchor in parts
        if is_there != uses_cache
    ]
    assert not advice, "\n" + "\n".join(advice)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=str)
def test_every_function_may_log(function: Function) -> None:
    policies = RESOURCES[function.role]["Properties"]["ManagedPolicyArns"]
    assert {"Ref": "RunPolicy"} in policies, f"Add !Ref RunPolicy to ManagedPolicyArns of {function.role}."


def test_only_functions_that_use_the_cache_reach_it() -> None:
    (ingress,) = RESOURCES["CacheSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert ingress["SourceSecurityGroupId"] == {"Ref": "FunctionsSecurityGroup"}


@pytest.mark.parametrize("function", [each for each in FUNCTIONS.values() if each.routes], ids=str)
def test_an_endpoint_takes_few_lines_of_the_template(function: Function) -> None:
    name = function.logical_id.removesuffix("Function")
    lines = {each: lines_of(each) for each in (function.logical_id, f"{name}Role", f"{name}ErrorsAlarm")}
    total = sum(lines.values())
    assert total <= MAX_LINES_OF_AN_ENDPOINT, (
        f"{function.name} takes {total} lines of template.yaml, and {MAX_LINES_OF_AN_ENDPOINT} are allowed: "
        f"{lines}. Share what it has in common with others through anchors, such as `<<: *cache-function`."
    )


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


TOPICS = {"PagingTopic": "**now**", "AlarmTopic": "morning"}
"""The topics of alarms, and the word for each in docs/operating.md."""


def parts() -> set[str]:
    """The alarms that notify nobody, because they are parts of composite alarms."""
    rules = (
        RESOURCES[name]["Properties"]["AlarmRule"] for name in of_type("AWS::CloudWatch::CompositeAlarm")
    )
    return {part for rule in rules for part in re.findall(r"\$\{(\w+)\}", rule["Fn::Sub"])}


ALARMS = [*of_type("AWS::CloudWatch::Alarm"), *of_type("AWS::CloudWatch::CompositeAlarm")]


@pytest.mark.parametrize("alarm", sorted(parts()))
def test_parts_of_composite_alarms_notify_nobody(alarm: str) -> None:
    assert not {"AlarmActions", "OKActions"} & RESOURCES[alarm]["Properties"].keys()


@pytest.mark.parametrize("alarm", [each for each in ALARMS if each not in parts()])
def test_an_alarm_publishes_to_its_topic_in_the_table(alarm: str) -> None:
    properties = RESOURCES[alarm]["Properties"]
    ((topic,),) = (action.values() for action in properties["AlarmActions"])
    assert properties["OKActions"] == properties["AlarmActions"]
    function = f"{alarm.removesuffix('ErrorsAlarm')}Function"
    row = "<Function>ErrorsAlarm" if function in RESOURCES else alarm
    table = (ROOT / "docs/operating.md").read_text("utf-8")
    (when,) = re.findall(rf"^\| `{row}`[^|]*\| ([^|]*) \|", table, re.MULTILINE)
    assert when == TOPICS[topic], f"Say `{TOPICS[topic]}` of {row} in the table of docs/operating.md."


def test_pages_fall_back_to_the_alarm_address() -> None:
    for topic, condition, endpoint in (
        ("AlarmTopic", "HasAlarmEmail", {"Ref": "AlarmEmail"}),
        (
            "PagingTopic",
            "PagesAreMailed",
            {"Fn::If": ["HasPageEmail", {"Ref": "PageEmail"}, {"Ref": "AlarmEmail"}]},
        ),
    ):
        (subscription,) = (
            RESOURCES[name]
            for name in of_type("AWS::SNS::Subscription")
            if RESOURCES[name]["Properties"]["TopicArn"] == {"Ref": topic}
        )
        assert subscription["Condition"] == condition
        assert subscription["Properties"]["Endpoint"] == endpoint


def evaluated(expression: Any, parameters: dict[str, str]) -> Any:
    """Evaluate a condition or a rule's assertion, as CloudFormation does."""
    if not isinstance(expression, dict):
        return expression
    ((function, arguments),) = expression.items()
    if function == "Ref":
        return parameters.get(arguments, TEMPLATE["Parameters"][arguments].get("Default"))
    if function == "Condition":
        return evaluated(TEMPLATE["Conditions"][arguments], parameters)
    values = [evaluated(each, parameters) for each in arguments]
    return {
        "Fn::Equals": lambda: values[0] == values[1],
        "Fn::Not": lambda: not values[0],
        "Fn::Or": lambda: any(values),
        "Fn::And": lambda: all(values),
    }[function]()


@pytest.mark.parametrize(
    ("addresses", "mailed"),
    [({}, False), ({"AlarmEmail": "a@b.org"}, True), ({"PageEmail": "a@b.org"}, True)],
    ids=["none", "AlarmEmail", "PageEmail"],
)
def test_pages_are_mailed_if_any_address_is_given(addresses: dict[str, str], mailed: bool) -> None:
    assert evaluated({"Condition": "PagesAreMailed"}, addresses) is mailed


@pytest.mark.parametrize(
    ("chosen", "made"),
    [
        ({}, False),
        ({"AlarmEmail": "a@b.org"}, False),
        ({"MonthlyBudget": 50}, False),
        ({"MonthlyBudget": 50, "AlarmEmail": "a@b.org"}, True),
    ],
    ids=["default", "no budget", "no address", "both"],
)
def test_a_budget_exists_only_with_an_address(chosen: dict[str, Any], made: bool) -> None:
    (name,) = of_type("AWS::Budgets::Budget")
    assert evaluated({"Condition": RESOURCES[name]["Condition"]}, chosen) is made
    for each in RESOURCES[name]["Properties"]["NotificationsWithSubscribers"]:
        assert [subscriber["Address"] for subscriber in each["Subscribers"]] == [{"Ref": "AlarmEmail"}]


@pytest.mark.parametrize("address", ["", "a@b.org"], ids=["no address", "an address"])
def test_a_budget_without_an_address_is_refused(address: str) -> None:
    rule = TEMPLATE["Rules"]["BudgetReachesSomebody"]
    (assertion,) = rule["Assertions"]
    assert evaluated(rule["RuleCondition"], {"MonthlyBudget": 50})
    assert evaluated(assertion["Assert"], {"AlarmEmail": address}) is bool(address)
    assert "AlarmEmail=<address>" in assertion["AssertDescription"]
    assert not evaluated(rule["RuleCondition"], {}), "without a budget, no address is needed"


def test_the_address_of_a_budget_can_be_changed() -> None:
    """The change replaces the budget, and CloudFormation replaces no resource with a fixed name."""
    (name,) = of_type("AWS::Budgets::Budget")
    assert "BudgetName" not in RESOURCES[name]["Properties"]["Budget"]


@pytest.mark.parametrize("address", ["", " AlarmEmail=ops@example.com"], ids=["no address", "an address"])
def test_prod_is_refused_if_its_alarms_reach_nobody(address: str) -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    overrides = config["prod"]["deploy"]["parameters"]["parameter_overrides"] + address
    prod = dict(each.split("=", 1) for each in overrides.split())
    rule = TEMPLATE["Rules"]["AlarmsReachSomebody"]
    (assertion,) = rule["Assertions"]
    assert evaluated(rule["RuleCondition"], prod)
    assert evaluated(assertion["Assert"], prod) is bool(address)
    assert "AlarmEmail=<address>" in assertion["AssertDescription"]
    assert not evaluated(rule["RuleCondition"], {}), "a stack to try things out needs no address"


# See https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
GATEWAY_RESPONSES = {
    "ACCESS_DENIED": 401,  # the authorizer denied the token
    "API_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_CONFIGURATION_ERROR": 503,
    "AUTHORIZER_FAILURE": 503,
    "BAD_REQUEST_BODY": 400,
    "BAD_REQUEST_PARAMETERS": 400,
    "DEFAULT_4XX": 400,
    "DEFAULT_5XX": 500,
    "EXPIRED_TOKEN": 404,  # these three: no such route, and a header like a signature
    "INVALID_SIGNATURE": 404,
    "MISSING_AUTHENTICATION_TOKEN": 404,
    "INTEGRATION_FAILURE": 502,
    "INTEGRATION_TIMEOUT": 504,
    "INVALID_API_KEY": 403,
    "QUOTA_EXCEEDED": 429,
    "REQUEST_TOO_LARGE": 413,
    "RESOURCE_NOT_FOUND": 404,
    "THROTTLED": 429,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "WAF_FILTERED": 403,
}

PHRASES = {413: "Content Too Large"}
"""Phrases of RFC 9110, where those of Python 3.11 are older."""


def test_every_gateway_response_has_its_status() -> None:
    responses = RESOURCES["Api"]["Properties"]["GatewayResponses"]
    assert {kind: int(response["StatusCode"]) for kind, response in responses.items()} == GATEWAY_RESPONSES


@pytest.mark.parametrize("kind", GATEWAY_RESPONSES)
def test_a_gateway_response_is_a_problem(kind: str) -> None:
    response = RESOURCES["Api"]["Properties"]["GatewayResponses"][kind]
    problem = json.loads(response["ResponseTemplates"]["application/json"])
    status = GATEWAY_RESPONSES[kind]
    assert (problem["status"], problem["title"]) == (status, PHRASES.get(status, phrase(HTTPStatus(status))))
    assert problem.get("error_description", problem["detail"]) == problem["detail"]
    headers = response["ResponseParameters"]["Headers"]
    assert headers["Content-Type"] == "'application/problem+json'"
    assert headers["x-request-id"] == "context.requestId"
    assert headers["Access-Control-Allow-Origin"] == {"Fn::Sub": "'${CorsOrigin}'"}
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert ("Retry-After" in headers) == (status in {502, 503, 504} or kind == "THROTTLED")


def test_the_firewalls_429_is_like_the_gateways() -> None:
    acl = RESOURCES["WebAcl"]["Properties"]
    problem = json.loads(acl["CustomResponseBodies"]["TooManyRequests"]["Content"])
    assert (problem["status"], problem["title"]) == (429, "Too Many Requests")
    blocks = [rule["Action"]["Block"]["CustomResponse"] for rule in acl["Rules"] if "Action" in rule]
    assert {block["ResponseCode"] for block in blocks} == {429}
    assert all(block["ResponseHeaders"][0]["Name"] == "Retry-After" for block in blocks)
    assert len({rule["Priority"] for rule in acl["Rules"]}) == len(acl["Rules"])


def test_the_access_log_is_json_without_secrets() -> None:
    setting = RESOURCES["Api"]["Properties"]["AccessLogSetting"]["Fn::If"][1]
    entry = json.loads(setting["Format"])
    assert entry["correlation_id"] == "$context.requestId"
    assert not re.search("authorizationToken|header|querystring|body", setting["Format"], re.IGNORECASE)
