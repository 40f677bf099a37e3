"""The local stack as the one who runs it meets it: options, reloading, state, errors, and its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.conftest import ROOT
from tests.local_stack import Client, Stack, are_gone, await_condition, processes_of, sign_up, unique

StartStack = Callable[..., Stack]


def run(*arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", "tools.local", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_leaves_nothing_behind(start_stack: StartStack, number: int) -> None:
    stack = start_stack("--no-state")
    assert sign_up(stack.url)("GET", "/tasks").status_code == 200
    aws = stack.wait_for(r"AWS\s+http://127.0.0.1:(\d+)")[1]
    processes = processes_of(stack.process.pid)
    assert len(processes) > 3
    assert stack.stop(number) == 0
    await_condition(lambda: are_gone(processes))
    for port in (stack.url.rpartition(":")[2], aws):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0
    assert not [line for line in stack.lines if "Traceback" in line]


def test_leaves_nothing_behind_when_it_is_killed(start_stack: StartStack) -> None:
    stack = start_stack("--no-state")
    sign_up(stack.url)
    aws = int(stack.wait_for(r"AWS\s+http://127.0.0.1:(\d+)")[1])
    processes = processes_of(stack.process.pid)
    stack.process.kill()
    await_condition(lambda: are_gone(processes))

    def refused() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", aws)) != 0

    await_condition(refused)


def test_the_users_own_settings_do_not_matter(
    start_stack: StartStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:9\nregion = nowhere\n")
    for name, value in {
        "AWS_PROFILE": "missing",
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "NO_PROXY": "",
    }.items():
        monkeypatch.setenv(name, value)
    temporary = tmp_path / ("x" * 100)  # too long for the path of a Unix socket in it
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    stack = start_stack("--no-state")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name)
    sign_up(stack.url).create()


def test_prints_a_line_for_each_request(start_stack: StartStack) -> None:
    stack = start_stack("--no-state")
    requests.get(f"{stack.url}/openapi.json", timeout=30)
    requests.get(f"{stack.url}/nowhere?x=1", timeout=30)
    assert stack.wait_for(r"200 +\d+ ms +GET +/openapi.json +ApiDocsFunction")
    requests.get(f"{stack.url}/nowhere?y=2&token=eyJhbGciOi&aPassword", timeout=30)
    assert stack.wait_for(r"404 +\d+ ms +GET +/nowhere\?x=1 +no route")
    assert stack.wait_for(r"GET +/nowhere\?y=2&token=…&… +no route")


def test_prints_what_functions_log_and_no_secrets(start_stack: StartStack) -> None:
    stack = start_stack("--no-state")
    user = sign_up(stack.url)
    Client(stack.url, "gar.ba.ge")("GET", "/tasks")
    assert stack.wait_for(r"AuthorizeFunction .*token refused")
    text = "\n".join(stack.lines)
    assert "correct horse" not in text
    assert str(user.session.headers["Authorization"]).removeprefix("Bearer ") not in text


def test_the_backends_close_what_clients_have_closed(stack: Stack) -> None:
    aws = stack.wait_for(r"AWS\s+(http://\S+)")[1]
    backends = next(
        each for each in processes_of(stack.process.pid) if "tools.local.backends" in " ".join(each.cmdline())
    )
    before = backends.num_fds()
    for _ in range(30):
        socket.create_connection(("127.0.0.1", int(aws.rpartition(":")[2]))).close()
    assert requests.get(aws, timeout=10).status_code == 403  # all those before it were accepted
    await_condition(lambda: backends.num_fds() < before + 10)


class TestReloading:
    def test_the_next_request_runs_the_new_code(self, start_stack: StartStack, project: Path) -> None:
        stack = start_stack("--no-state", root=project)
        user = sign_up(stack.url)
        path = f"/tasks/{user.create()['id']}"

        handler = project / "functions/get_task/app.py"
        old = handler.read_text()
        handler.write_text(
            old.replace('{"ETag": etag(task.version)}', '{"ETag": etag(task.version), "x-new": "1"}')
        )
        assert user("GET", path).headers["x-new"] == "1"

        document = project / "shared/tasks/document.py"
        document.write_text(
            document.read_text().replace("| seconds)", '| seconds | {"title": task.title.upper()})')
        )
        assert user("GET", path).json()["title"].startswith("TASK")

        module = project / "shared/greeting.py"
        module.write_text('GREETING = "hello"\n')
        handler.write_text(
            "from shared.greeting import GREETING\n"
            + old.replace('{"ETag": etag(task.version)}', '{"ETag": etag(task.version), "x-new": GREETING}')
        )
        assert user("GET", path).headers["x-new"] == "hello"

    def test_broken_code_is_an_error_until_it_is_mended(self, start_stack: StartStack, project: Path) -> None:
        stack = start_stack("--no-state", root=project)
        handler = project / "functions/api_docs/app.py"
        whole = handler.read_text()
        handler.write_text(whole + "\n)\n")
        broken = requests.get(f"{stack.url}/docs", timeout=30)
        assert broken.status_code == 500
        assert broken.headers["Content-Type"] == "application/problem+json"
        assert stack.wait_for("SyntaxError")
        handler.write_text(whole)
        assert requests.get(f"{stack.url}/docs", timeout=30).status_code == 200


class TestFunctions:
    def docs_function(self, project: Path, body: str) -> None:
        lines = "import os, time, logging\n\ndef handler(event, context):\n    " + body + "\n"
        (project / "functions/api_docs/app.py").write_text(lines)

    def test_a_function_that_is_too_slow_is_killed(self, start_stack: StartStack, project: Path) -> None:
        template = project / "template.yaml"
        template.write_text(template.read_text().replace("Timeout: 10", "Timeout: 1"))
        self.docs_function(project, "time.sleep(60)")
        stack = start_stack("--no-state", root=project)
        assert requests.get(f"{stack.url}/docs", timeout=30).status_code == 500
        self.docs_function(
            project, "return {'statusCode': 200, 'body': str(context.get_remaining_time_in_millis())}"
        )
        assert 0 < int(requests.get(f"{stack.url}/docs", timeout=30).text) <= 1000

    def test_a_function_that_dies_is_started_again(self, start_stack: StartStack, project: Path) -> None:
        self.docs_function(
            project, "os._exit(1) if 'die' in event['path'] + str(event['queryStringParameters']) else 0"
        )
        stack = start_stack("--no-state", root=project)
        assert requests.get(f"{stack.url}/docs?die=1", timeout=30).status_code == 500
        self.docs_function(project, "return {'statusCode': 200, 'body': 'alive'}")
        assert requests.get(f"{stack.url}/docs", timeout=30).text == "alive"

    def test_a_function_has_its_own_environment_only(
        self, start_stack: StartStack, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("A_SECRET_OF_THE_SHELL", "x")
        self.docs_function(project, "return {'statusCode': 200, 'body': ' '.join(os.environ)}")
        stack = start_stack("--no-state", root=project)
        names = requests.get(f"{stack.url}/docs", timeout=30).text.split()
        assert {"AWS_LAMBDA_FUNCTION_NAME", "POWERTOOLS_SERVICE_NAME", "AWS_REGION"} <= set(names)
        assert not {"A_SECRET_OF_THE_SHELL", "TOKEN_SECRET", "USERS_TABLE", "TASKS_TABLE"} & set(names)


class TestState:
    def test_tasks_users_and_tokens_survive_a_restart(self, start_stack: StartStack, tmp_path: Path) -> None:
        state = str(tmp_path / "new/state.db")
        first = start_stack("--state", state)
        user = sign_up(first.url)
        task = user.create(unique("Kept"), description="✓")
        first.stop()
        assert (tmp_path / "new/state.db").stat().st_mode & 0o077 == 0

        second = start_stack("--state", state)
        user.url = second.url
        assert user("GET", f"/tasks/{task['id']}").json() == task
        assert user("GET", "/tasks").json() == [task]
        assert user("POST", "/tasks", json={"title": task["title"]}).status_code == 409
        user("DELETE", f"/tasks/{task['id']}")
        second.stop()

        user.url = start_stack("--state", state).url
        assert user("GET", "/tasks").json() == []

    def test_another_number_of_shards_is_a_migration(self, start_stack: StartStack, tmp_path: Path) -> None:
        options = ("--redis", "none", "--state", str(tmp_path / "state.db"))
        first = start_stack(*options)
        user = sign_up(first.url)
        tasks = [user.create() for _ in range(20)][::-1]
        first.stop()
        shards = ("--parameter", "StatusShards=4")
        second = start_stack(*options, *shards)
        user.url = second.url
        assert user("GET", "/tasks").json() == tasks
        endpoint = second.wait_for(r"AWS +(http://\S+)")[1]
        migrate = [sys.executable, "-m", "tools.migrations", "--endpoint-url", endpoint]
        done = subprocess.run(migrate, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert re.search(r"applied .* 4\d items read, \d+ changed", done.stdout)
        assert user("GET", "/tasks").json() == tasks
        second.stop()
        user.url = start_stack(*options).url
        assert len(user("GET", "/tasks").json()) < len(tasks), "nothing was moved"

    def test_a_kill_of_the_stack_alone_costs_nothing(self, start_stack: StartStack, tmp_path: Path) -> None:
        file = tmp_path / "state.db"
        first = start_stack("--state", str(file))
        user = sign_up(first.url)
        task = user.create(unique("Saved"))
        processes = processes_of(first.process.pid)
        first.process.kill()
        await_condition(lambda: are_gone(processes))

        def second() -> bool:
            try:
                user.url = start_stack("--state", str(file)).url
            except AssertionError:  # the old backends have not left yet
                return False
            return True

        await_condition(second)
        assert user("GET", "/tasks").json() == [task]

    def test_no_state_keeps_nothing(self, start_stack: StartStack, project: Path) -> None:
        stack = start_stack("--no-state", root=project)
        sign_up(stack.url).create()
        stack.stop()
        assert not (project / ".local").exists()

    def test_one_stack_at_a_time(self, start_stack: StartStack, tmp_path: Path) -> None:
        state = str(tmp_path / "state.db")
        start_stack("--state", state)
        second = run("--port", "0", "--state", state)
        assert_one_line(second, "Another local stack uses", "--no-state")

    def test_a_damaged_file_is_left_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "state.db"
        file.write_text('{"tables": ')
        assert_one_line(run("--port", "0", "--state", str(file)), "is damaged", "Move it away")
        assert file.read_text() == '{"tables": '


def assert_one_line(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("error: ")
    for part in parts:
        assert part in result.stderr


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="there is no IPv6 on this machine")


class TestHosts:
    def answers(self, stack: Stack, host: str) -> bool:
        port = stack.url.rpartition(":")[2]
        return requests.get(f"http://{host}:{port}/openapi.json", timeout=30).ok

    @needs_ipv6
    def test_ipv6_alone(self, start_stack: StartStack) -> None:
        stack = start_stack("--no-state", "--host", "::1")
        assert stack.url.startswith("http://[::1]:")
        assert sign_up(stack.url)("GET", "/tasks").status_code == 200

    @needs_ipv6
    @pytest.mark.parametrize("options", [[], ["--host", "localhost"]])
    def test_loopback_is_both_addresses(self, start_stack: StartStack, options: list[str]) -> None:
        stack = start_stack("--no-state", *options)
        assert all(self.answers(stack, host) for host in ("127.0.0.1", "[::1]"))

    def test_every_address_has_every_name(self, start_stack: StartStack) -> None:
        stack = start_stack("--no-state", "--host", "0.0.0.0")  # noqa: S104 (as people do)
        url = f"http://127.0.0.1:{stack.url.rpartition(':')[2]}/openapi.json"
        assert requests.get(url, headers={"Host": "mine.example"}, timeout=30).ok


class TestErrors:
    @pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "1:2"])
    def test_a_host_that_is_none(self, host: str) -> None:
        assert_one_line(run("--no-state", "--port", "0", "--host", host), host, "no known name or address")

    def test_a_taken_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert_one_line(run("--no-state", "--port", str(port)), str(port), f"--port {port + 1}")

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            (lambda text: text.replace("Resources:", "Resources: ["), "is broken"),
            (lambda text: text.replace("Type: Api\n", "Type: Apix\n"), "no API with routes"),
            (lambda _: "", "is broken"),
            (lambda _: "[1, 2]", "is broken"),
        ],
    )
    def test_a_broken_template(self, tmp_path: Path, change: Callable[[str], str], part: str) -> None:
        template = tmp_path / "template.yaml"
        template.write_text(change((ROOT / "template.yaml").read_text()))
        assert_one_line(run("--no-state", "--port", "0", "--template", str(template)), str(template), part)

    def test_a_missing_template(self, tmp_path: Path) -> None:
        assert_one_line(run("--no-state", "--port", "0", cwd=tmp_path), "does not exist")

    def test_an_unknown_parameter(self) -> None:
        assert_one_line(run("--no-state", "--port", "0", "--parameter", "Nope=1"), "no parameter Nope")

    def test_a_value_that_a_parameter_does_not_take(self) -> None:
        result = run("--no-state", "--port", "0", "--parameter", "StatusShards=8/1")
        assert_one_line(result, "StatusShards cannot be '8/1'", "1/8")

    def test_a_url_of_redis_that_functions_cannot_use(self) -> None:
        assert_one_line(run("--no-state", "--port", "0", "--redis", "redis://localhost?db=3"), "--redis")

    def test_no_docker(self) -> None:
        missing = "unix:///there/is/none"
        result = run("--no-state", "--port", "0", "--docker", DOCKER_HOST=missing)
        assert_one_line(result, "Docker does not answer", "make run")

    def test_no_python_that_lambda_runs(self, tmp_path: Path) -> None:
        result = run("--no-state", "--port", "0", "--docker", "--build", PATH=str(tmp_path))
        assert_one_line(result, "python3.13", "make run")

    def test_the_help_tells_the_options(self) -> None:
        text = run("--help").stdout
        for option in ("--port", "--host", "--no-state", "--state", "--parameter", "--concurrency"):
            assert option in text


def test_sign_up_can_be_switched_off(start_stack: StartStack) -> None:
    stack = start_stack("--no-state", "--parameter", "SignUp=disabled")
    body = {"username": "somebody", "password": "correct horse"}
    response = requests.post(f"{stack.url}/auth/create", json=body, timeout=30)
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"
