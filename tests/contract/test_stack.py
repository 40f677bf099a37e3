"""The local stack's command: options, output, state and errors."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.conftest import ROOT
from tests.local_stack import Client, Stack, are_gone, await_condition, processes_of, sign_up, unique
from tools.local.errors import LocalStackError
from tools.local.options import parse_options
from tools.local.stack import serve
from tools.local.template import load_template

StartStack = Callable[..., Stack]


def run(*arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command until it ends."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", "tools.local", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)


def assert_one_line(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("error: ")
    for part in parts:
        assert part in result.stderr


def endpoint_of_aws(stack: Stack) -> str:
    return stack.wait_for(r"AWS\s+(http://\S+)")[1]


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_prints_a_line_for_each_request(stack: Stack) -> None:
    requests.get(f"{stack.url}/openapi.json", timeout=30)
    requests.get(f"{stack.url}/nowhere?x=1", timeout=30)
    assert stack.wait_for(r"200 +\d+ ms +GET +/openapi.json +ApiDocsFunction")
    assert stack.wait_for(r"404 +\d+ ms +GET +/nowhere\?x=1 +no route")


def test_prints_what_functions_log(stack: Stack) -> None:
    Client(stack.url, "gar.ba.ge")("GET", "/tasks")
    assert stack.wait_for(r"AuthorizeFunction .*token refused")


def test_the_backends_close_connections_that_clients_have_closed(stack: Stack) -> None:
    aws = endpoint_of_aws(stack)
    backends = next(
        each for each in processes_of(stack.process.pid) if "tools.local.backends" in " ".join(each.cmdline())
    )
    before = backends.num_fds()
    for _ in range(30):
        socket.create_connection(("127.0.0.1", int(aws.rpartition(":")[2]))).close()
    assert requests.get(aws, timeout=10).status_code == 403  # all earlier connections were accepted
    await_condition(lambda: backends.num_fds() < before + 10)


def test_a_kill_leaves_no_process_and_loses_no_task(
    start_stack: StartStack, project: Path, tmp_path: Path
) -> None:
    app = project / "functions/list_tasks/app.py"
    whole = app.read_text()
    app.write_text("def handler(event, context):\n    print('busy')\n    while True: pass\n")
    first = start_stack("--state", "state.db", root=project)
    user = sign_up(first.url)
    task = user.create(unique("Saved"))

    def ask() -> None:
        with suppress(requests.RequestException):
            user("GET", "/tasks")

    asking = threading.Thread(target=ask)
    asking.start()
    first.wait_for("busy")
    aws, processes = endpoint_of_aws(first), processes_of(first.process.pid)
    assert len(processes) > 3
    first.process.kill()
    asking.join()
    await_condition(lambda: are_gone(processes))
    await_condition(lambda: is_refused(int(aws.rpartition(":")[2])))

    app.write_text(whole)
    user.url = start_stack("--state", "state.db", root=project).url
    assert user("GET", "/tasks").json() == [task]


def test_state_survives_a_restart_with_another_number_of_shards(
    start_stack: StartStack, tmp_path: Path
) -> None:
    """The stack ends as when its terminal is closed; a migration then moves tasks to their new shards."""
    state = tmp_path / "new/state.db"
    first = start_stack("--redis", "none", "--state", str(state))
    user = sign_up(first.url)
    tasks = [user.create(unique("Kept"), description="✓") for _ in range(20)][::-1]
    deleted = user.create()
    user("DELETE", f"/tasks/{deleted['id']}")
    processes = processes_of(first.process.pid)
    assert first.stop(signal.SIGHUP) == 0
    await_condition(lambda: are_gone(processes))
    assert state.stat().st_mode & 0o077 == 0

    second = start_stack("--redis", "none", "--state", str(state), "--parameter", "StatusShards=4")
    user.url = second.url
    assert user("GET", f"/tasks/{tasks[0]['id']}").json() == tasks[0]
    assert user("GET", "/tasks").json() == tasks
    assert user("POST", "/tasks", json={"title": tasks[0]["title"]}).status_code == 409

    migrate = [sys.executable, "-m", "tools.migrations", "--endpoint-url", endpoint_of_aws(second)]
    done = subprocess.run(migrate, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.search(r"applied .* 4\d items read, [1-9]\d* changed", done.stdout), done.stdout
    assert user("GET", "/tasks").json() == tasks


class TestOptions:
    @pytest.fixture(scope="class")
    def at_every_address(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
        """A stack whose user has AWS and proxy settings and a long path for temporary files."""
        home = tmp_path_factory.mktemp("home")
        config, temporary = home / "config", home / ("x" * 100)  # too long for a Unix socket in it
        temporary.mkdir()
        config.write_text("[default]\nendpoint_url = http://127.0.0.1:9\nregion = nowhere\n")
        with pytest.MonkeyPatch.context() as shell:
            for name in ("AWS_ENDPOINT_URL_DYNAMODB", "HTTP_PROXY", "http_proxy"):
                shell.setenv(name, "http://127.0.0.1:9")
            shell.setenv("AWS_CONFIG_FILE", str(config))
            shell.setenv("AWS_PROFILE", "missing")
            shell.setenv("NO_PROXY", "")
            shell.setenv("TMPDIR", str(temporary))
            stack = Stack("--no-state", "--host", "0.0.0.0")  # noqa: S104 (as people do)
        yield stack
        stack.stop()

    def test_the_users_own_settings_do_not_matter(self, at_every_address: Stack) -> None:
        sign_up(at_every_address.url).create()

    def test_any_host_name_works_at_every_address(self, at_every_address: Stack) -> None:
        url = f"http://127.0.0.1:{at_every_address.url.rpartition(':')[2]}/openapi.json"
        assert requests.get(url, headers={"Host": "mine.example"}, timeout=30).ok

    def test_sign_up_can_be_switched_off(self, start_stack: StartStack) -> None:
        stack = start_stack("--no-state", "--host", "localhost", "--parameter", "SignUp=disabled")
        assert stack.url.startswith("http://localhost:")
        body = {"username": "somebody", "password": "correct horse"}
        response = requests.post(f"{stack.url}/auth/create", json=body, timeout=30)
        assert response.status_code == 403
        assert response.headers["Content-Type"] == "application/problem+json"

    def test_the_help_lists_the_options(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            parse_options(["--help"])
        text = capsys.readouterr().out
        assert ended.value.code == 0
        for option in ("--port", "--host", "--no-state", "--state", "--parameter", "--concurrency"):
            assert option in text


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="there is no IPv6 on this machine")
class TestIPv6:
    def test_loopback_is_both_addresses(self, stack: Stack) -> None:
        port = stack.url.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            assert requests.get(f"http://{host}:{port}/openapi.json", timeout=30).ok, host

    def test_it_serves_ipv6_alone(self, start_stack: StartStack) -> None:
        stack = start_stack("--no-state", "--host", "::1")
        assert stack.url.startswith("http://[::1]:")
        assert sign_up(stack.url)("GET", "/tasks").status_code == 200


class TestErrors:
    """Errors print one line and exit with 1, as the first two tests prove; the others check exceptions."""

    def test_a_url_of_redis_that_functions_cannot_use(self) -> None:
        assert_one_line(run("--no-state", "--port", "0", "--redis", "redis://localhost?db=3"), "--redis")

    def test_no_docker(self) -> None:
        result = run("--no-state", "--port", "0", "--docker", DOCKER_HOST="unix:///there/is/none")
        assert_one_line(result, "Docker does not answer", "make run")

    @pytest.fixture
    def start(self) -> Iterator[Callable[..., None]]:
        """Start a stack in this process; it fails before it starts other processes."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.getsignal(number) for number in numbers]
        yield lambda *arguments: serve(parse_options(["--no-state", "--port", "0", *arguments]))
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)

    @pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "1:2"])
    def test_an_invalid_host(self, start: Callable[..., None], host: str) -> None:
        with pytest.raises(LocalStackError, match=rf"{re.escape(host)}.*no known name or address"):
            start("--host", host)

    def test_a_taken_port(self, start: Callable[..., None]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(LocalStackError, match=rf":{port}: .*--port {port + 1}\""):
                start("--port", str(port))

    def test_without_the_python_of_lambda(
        self, start: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(LocalStackError, match=r"python3\.13.*make run"):
            start("--docker", "--build")

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            (lambda text: text.replace("Resources:", "Resources: ["), "is broken"),
            (lambda text: text.replace("Type: Api\n", "Type: Apix\n"), "no API with routes"),
            (lambda _: "", "is broken"),
            (lambda _: "[1, 2]", "is broken"),
        ],
        ids=["invalid YAML", "no routes", "empty", "a list"],
    )
    def test_a_broken_template(self, tmp_path: Path, change: Callable[[str], str], part: str) -> None:
        template = tmp_path / "template.yaml"
        template.write_text(change((ROOT / "template.yaml").read_text()))
        with pytest.raises(LocalStackError, match=rf"\A{re.escape(str(template))} .*{part}.*\Z"):
            load_template(template, {})

    def test_a_missing_template(self, tmp_path: Path) -> None:
        with pytest.raises(LocalStackError, match="does not exist"):
            load_template(tmp_path / "template.yaml", {})
