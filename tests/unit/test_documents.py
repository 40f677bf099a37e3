"""The documents: their links resolve, and the commands, files and resources that they name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.local_stack import ROOT
from tests.template import RESOURCES, ROUTES, TEMPLATE, of_type

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "tests/performance/RESULTS.md"])
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
FOLDERS = tuple(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != ".")
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def prose_of(document: Path) -> str:
    """A document without its code blocks: some of them show files that the reader is to write."""
    return re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors_of(document: Path) -> set[str]:
    """The anchors that GitHub makes of its headings."""
    headings = re.findall(r"^#+ (.*)$", prose_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_document
def test_links_resolve(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(document)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{document.name} links to {link}, which does not exist"
        assert not anchor or anchor in anchors_of(target), f"{document.name} links to {link}: no such heading"


@every_document
def test_documented_commands_exist(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        return  # it also names removed commands
    text = document.read_text("utf-8")
    commands = re.findall(r"`make ((?:[a-z-]+ ?)+)", text) + re.findall(
        r"^make ((?:[a-z-]+ ?)+)", text, re.MULTILINE
    )
    named = {target for command in commands for target in command.split()}
    assert named <= TARGETS, (
        f"{document.name} names targets that the Makefile lacks: {sorted(named - TARGETS)}"
    )


@every_document
def test_documented_files_exist(document: Path) -> None:
    example = "get_task_title"  # the reader of docs/adding-an-endpoint.md writes it
    for name in re.findall(r"`([\w./-]+/[\w./-]*)`", prose_of(document)):
        if name.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and example not in name:
            assert (ROOT / name).exists(), f"{document.name} names {name}, which does not exist"


def test_the_readme_is_short_and_links_to_every_document() -> None:
    readme = ROOT / "README.md"
    assert len(readme.read_text("utf-8").splitlines()) < 150
    linked = set(re.findall(r"\]\((docs/[^)#]+)", readme.read_text("utf-8")))
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.*")}
    assert linked == there


def test_all_parameters_are_documented() -> None:
    table = (ROOT / "docs/deploying.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", table, re.MULTILINE)
    defaults = {name: str(parameter.get("Default")) for name, parameter in TEMPLATE["Parameters"].items()}
    assert {name: default.strip(" `") for name, default in rows} == defaults


def test_all_routes_are_documented() -> None:
    table = (ROOT / "docs/http-api.md").read_text("utf-8")
    rows = re.findall(r"^(\| `[A-Z]+ /[^`]*` \| (?:yes|no) \|)", table, re.MULTILINE)
    routes = [f"| `{route}` | {'no' if route.public else 'yes'} |" for route in ROUTES]
    advice = [
        f"Add the row {row} … | to docs/http-api.md, with what it does." for row in routes if row not in rows
    ]
    advice += [f"Remove the row {row} … | from docs/http-api.md." for row in rows if row not in routes]
    assert not advice, "\n" + "\n".join(advice)


def test_all_alarms_are_documented() -> None:
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    assert "`<Function>ErrorsAlarm`" in text
    of_functions = {name.replace("Function", "ErrorsAlarm") for name in of_type("AWS::Serverless::Function")}
    alarms = {
        name for name in of_type("AWS::CloudWatch::") if "AlarmActions" in RESOURCES[name]["Properties"]
    }
    assert set(re.findall(r"`(\w+Alarm)`", text)) == alarms - of_functions


def test_each_alarm_begins_with_a_command() -> None:
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    command = rf"(make ({'|'.join(TARGETS)})|aws \w+)\b"
    sections = {
        heading.lower().replace(" ", "-"): body.strip()
        for heading, body in re.findall(r"^#+ (.*)\n((?:(?!#+ ).*\n)*)", text, re.MULTILINE)
    }
    rows = re.findall(r"^\| `([\w<>]+Alarm)`.* \| (.*) \|$", text, re.MULTILINE)
    assert rows
    for alarm, first in rows:
        link = re.match(r"\[[^]]*\]\(#([\w-]+)\)", first)
        begins = re.match(rf"```sh\n{command}", sections[link[1]]) if link else re.match(f"`{command}", first)
        assert begins, f"Say first which command to run for {alarm}: {first}"
