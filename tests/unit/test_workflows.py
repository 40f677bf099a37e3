"""GitHub's workflows, and the roles that they deploy with."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from tests.conftest import ROOT

FOLDER = ROOT / ".github/workflows"
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.name: yaml_parse(path.read_text("utf-8")) for path in FOLDER.glob("*.yaml")
}
RELEASE = WORKFLOWS["release.yaml"]["jobs"]
DEPLOY = WORKFLOWS["deploy.yaml"]["jobs"]["deploy"]
ROLES = yaml_parse((ROOT / ".github/deploy-role.yaml").read_text("utf-8"))["Resources"]
CALLS = {name: job["with"] for name, job in RELEASE.items() if "with" in job}
every_workflow = pytest.mark.parametrize("workflow", sorted(WORKFLOWS))


def steps(workflow: str) -> Iterator[dict[str, Any]]:
    for job in WORKFLOWS[workflow]["jobs"].values():
        yield from job.get("steps", [])


def text(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def test_an_action_has_one_major_version_everywhere() -> None:
    used = {step["uses"] for name in WORKFLOWS for step in steps(name) if "uses" in step}
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", each) for each in used), used
    names = [each.partition("@")[0] for each in used]
    assert len(names) == len(set(names)), used


@every_workflow
def test_the_commands_of_the_workflow_exist(workflow: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    targets = set(itertools.chain(*(re.findall(r"^\s*make ([a-z-]+)", each, re.M) for each in commands)))
    assert [each for each in targets if not re.search(rf"^{each}:", makefile, re.M)] == []
    files = re.findall(r"^\.ci/\w+$", "\n".join(commands), re.M)
    assert [each for each in files if not Path(ROOT, each).exists()] == []


def test_one_build_goes_to_dev_and_then_to_prod() -> None:
    assert (RELEASE["dev"]["needs"], RELEASE["prod"]["needs"]) == ("build", "dev")
    (upload,) = (step for step in RELEASE["build"]["steps"] if "upload-artifact" in step.get("uses", ""))
    (download,) = (step for step in DEPLOY["steps"] if "download-artifact" in step.get("uses", ""))
    for key in ("name", "path"):
        assert upload["with"][key] == download["with"][key]
    assert upload["with"]["include-hidden-files"], "the action takes .aws-sam for hidden files"
    assert [name for name in WORKFLOWS if re.search(r"\bsam build$", text(name), re.M)] == ["release.yaml"]


def test_each_environment_is_in_samconfig() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    assert [each["environment"] for each in CALLS.values()] == ["dev", "prod"]
    for each in CALLS.values():
        assert config[each["config"]]["deploy"]["parameters"]["stack_name"] == each["stack"]
    assert "Canary=true" in config["prod"]["deploy"]["parameters"]["parameter_overrides"]


def test_a_role_trusts_jobs_of_one_environment_of_this_repository_and_no_others() -> None:
    (statement,) = ROLES["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    ((operator, claims),) = statement["Condition"].items()
    subject = claims["token.actions.githubusercontent.com:sub"]
    assert subject == {"Fn::Sub": "repo:${Repository}:environment:${Environment}"}, (
        "a role that trusts two environments can be assumed with the approval of only one"
    )
    assert operator == "StringEquals", "StringLike would accept wildcards"
    assert claims["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert DEPLOY["environment"] == "${{ inputs.environment }}"


def test_the_roles_of_each_environment_are_made_for_its_own_stack() -> None:
    document = (ROOT / "docs/deploying.md").read_text("utf-8")
    made = re.findall(r"deploy-role\.yaml --stack-name (\S+) .*\n.* Environment=(\S+) Stack=(\S+)", document)
    assert [(environment, stack) for _, environment, stack in made] == [
        (each["environment"], each["stack"]) for each in CALLS.values()
    ]
    assert len({name for name, _, _ in made}) == len(made)
    for name, _, _ in made:
        assert not name.startswith("task-api"), "a release could change the roles that limit it"


def test_a_release_uploads_to_its_roles_folder() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    for each in CALLS.values():
        parameters = config[each["config"]]["deploy"]["parameters"]
        assert parameters["s3_prefix"] == each["stack"]
    assert [resource for resource, actions in allowed("DeployRole") if "s3:PutObject" in actions] == [
        "arn:${AWS::Partition}:s3:::aws-sam-cli-managed-default-*/${Stack}/*"
    ]


def test_a_waiting_release_does_not_block_other_environments() -> None:
    assert DEPLOY["concurrency"] == {
        "group": "deploy-${{ inputs.environment }}",
        "cancel-in-progress": False,  # a canceled deployment would leave a stack half updated
    }
    workflows = [WORKFLOWS[name] for name in ("release.yaml", "deploy.yaml")]
    assert not [each["concurrency"] for each in workflows if "concurrency" in each]
    # A caller that held the group would wait for itself.
    assert not [name for name, job in RELEASE.items() if "concurrency" in job]


def test_no_key_of_aws_is_stored() -> None:
    everything = "".join(map(text, WORKFLOWS))
    assert "access-key" not in everything.lower().replace("_", "-")
    assert set(re.findall(r"secrets\.(\w+)", everything)) == {"SMOKE_PASSWORD"}
    for job in (DEPLOY, RELEASE["dev"], RELEASE["prod"]):
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
    for name, workflow in WORKFLOWS.items():
        assert name == "deploy.yaml" or workflow["permissions"] == {"contents": "read"}


def test_the_settings_on_github_are_documented() -> None:
    document = (ROOT / "docs/deploying.md").read_text("utf-8")
    wanted = set(re.findall(r"(?:vars|secrets)\.(\w+)", text("deploy.yaml")))
    assert wanted
    assert [each for each in wanted if f"`{each}`" not in document] == []


def allowed(role: str) -> Iterator[tuple[str, set[str]]]:
    """The resources in a role's own policies, each with its allowed actions."""
    for policy in ROLES[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            resources, actions = (
                each if isinstance(each, list) else [each]
                for each in (statement["Resource"], statement["Action"])
            )
            for resource in resources:
                yield resource["Fn::Sub"] if "Fn::Sub" in resource else str(resource), set(actions)


def test_a_release_changes_the_stack_of_its_environment_and_no_other() -> None:
    changes = {"CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet"}
    stacks = {
        resource
        for resource, actions in allowed("DeployRole")
        if actions & {f"cloudformation:{each}" for each in changes} and ":stack/" in resource
    }
    assert stacks == {"arn:${AWS::Partition}:cloudformation:*:${AWS::AccountId}:stack/${Stack}/*"}


def test_cloudformation_may_change_only_roles_of_the_stack() -> None:
    """Apart from what PowerUserAccess allows; see docs/deploying.md."""
    assert all(resource.endswith("/${Stack}-*") for resource, _ in allowed("StackRole"))
