"""What newcomers see and paste: the output of `make run`, its picture, and the README's walk-through."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.local_stack import ROOT, Stack
from tests.optional import needs_curl
from tests.pictures import PICTURES, use

VARYING = [
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
    (r"^\d\d:\d\d:\d\d", "<time>"),
    (r" +\d+ ms", " <ms>"),
    (r"in \d+\.\d s", "in <s>"),
    (r"(127\.0\.0\.1:)(?!3000)\d+", r"\1<port>"),
    (r"\((redis-server|valkey-server|fakeredis)[^)]*\)", "(<redis>)"),
]
"""What differs between runs and between machines."""


def gist(lines: list[str]) -> list[str]:
    """Lines with varying parts replaced; sorted, because deliveries have no fixed order."""
    for pattern, name in VARYING:
        lines = [re.sub(pattern, name, line) for line in lines]
    return sorted(line.strip() for line in lines if line.strip())


@pytest.fixture(scope="module")
def fresh() -> Iterator[tuple[Stack, list[str]]]:
    """A new stack, and its output while a newcomer used it."""
    stack = Stack("--no-state", "--no-metrics", schedules=True)
    yield stack, use(stack)
    stack.stop()


def test_the_picture_of_the_terminal_is_up_to_date(fresh: tuple[Stack, list[str]]) -> None:
    svg = (PICTURES / "terminal.svg").read_text("utf-8")
    rows: dict[str, str] = {}
    for y, text in re.findall(r'<text[^>]* y="([^"]*)"[^>]*clip-path[^>]*>([^<]*)</text>', svg):
        rows[y] = rows.get(y, "") + html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")
    _, *drawn = rows.values()  # the first is the command
    assert gist(drawn) == gist(fresh[1]), "run `make pictures`"


@needs_curl
def test_the_first_request_can_be_pasted(fresh: tuple[Stack, list[str]]) -> None:
    lines = fresh[0].lines
    first = next(index for index, line in enumerate(lines) if "to try" in line)
    command = "\n".join(lines[first : first + 2]).replace("to try", "")
    done = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True, timeout=30)
    assert '"username":"mary"' in done.stdout.replace(" ", "")


@needs_curl
def test_the_walk_through_can_be_pasted(fresh: tuple[Stack, list[str]]) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (script,) = re.findall(r"^```sh\n(API=.*?)```", readme, re.MULTILINE | re.DOTALL)
    script = script.replace("http://127.0.0.1:3000", fresh[0].url)
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, timeout=60)
    statuses = re.findall(r"^HTTP/1.1 (\d+)", done.stdout, re.MULTILINE)
    assert statuses == ["200", "200", "200", "204"], done.stdout + done.stderr
