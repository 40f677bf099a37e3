"""Functions run as in Lambda: their responses, how they fail, and what the terminal shows."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nightly import often
from tools.local.runtime.fingerprint import fingerprint
from tools.local.runtime.output import MAX_LINE, Write, forward, pack_report
from tools.local.runtime.spec import MAX_RESPONSE, FunctionSpec, Result
from tools.local.runtime.warm import WarmRuntime


class Texts(defaultdict[str, list[str]]):
    """Forwarded texts by the function's name."""

    def __init__(self) -> None:
        super().__init__(list)

    def __call__(self, name: str, text: str) -> None:
        self[name].append(text)


SHOWN, REPORTS = Texts(), Texts()


def start_runtime() -> WarmRuntime:
    return WarmRuntime(Path(), {}, {}, 4, SHOWN, REPORTS)


class Function:
    """A function in its own workers, with its output and its reports."""

    def __init__(self, folder: Path, runtime: WarmRuntime, timeout: float = 10) -> None:
        self.folder = folder
        self.shown = SHOWN[str(folder)]
        self.reports = REPORTS[str(folder)]
        self.write("shared/__init__.py", "")
        environment = {"PATH": os.environ["PATH"], "AWS_REGION": "us-east-1"}
        root, code = str(folder), str(folder / "code")
        spec = FunctionSpec(root, code, root, "app.handler", environment, memory=128, timeout=timeout)
        self.pool = runtime.pool_of(spec)

    def write(self, file: str, code: str) -> None:
        (self.folder / file).parent.mkdir(exist_ok=True)
        (self.folder / file).write_text(code)

    def body(self, code: str) -> None:
        start = "import os, sys, time, signal\n\ndef handler(event, context):\n    "
        self.write("code/app.py", f"{start}{code}\n")

    def __call__(self, event: object = None) -> Result:
        return self.pool.invoke(json.dumps(event).encode())

    def error(self, event: object = None) -> dict[str, str]:
        result = self(event)
        assert result.failed
        parsed: dict[str, str] = json.loads(result.payload)
        return parsed

    def report(self) -> str:
        """The only report."""
        await_text(self.reports)
        (report,) = self.reports
        return report


def await_text(texts: list[str]) -> None:
    """Wait until a thread has forwarded a text."""
    deadline = time.monotonic() + 10
    while not any(texts):
        assert time.monotonic() < deadline, "nothing was forwarded"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def runtime() -> Iterator[WarmRuntime]:
    """One for all functions, because its first worker takes a second to start."""
    runtime = start_runtime()
    yield runtime
    runtime.close()


@pytest.fixture
def function(tmp_path: Path, runtime: WarmRuntime) -> Iterator[Function]:
    function = Function(tmp_path, runtime)
    yield function
    function.pool.close(time.monotonic() + 2)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("return event", {"a": "ü"}),
        ("return 0 < context.get_remaining_time_in_millis() <= 10_000", True),
        ("from decimal import Decimal; return Decimal('1.5')", 1.5),
        ("return {'errorMessage': 'x', 'errorType': 'y'}", {"errorMessage": "x", "errorType": "y"}),
    ],
)
def test_a_handlers_return_value_is_the_response(function: Function, code: str, answer: object) -> None:
    function.body(code)
    result = function({"a": "ü"})
    assert not result.failed
    assert json.loads(result.payload) == answer


def test_a_response_that_is_too_large_is_an_error(function: Function) -> None:
    function.body("return 'é' * (event // 2)")
    assert not function(MAX_RESPONSE - 2).failed
    assert function.error(MAX_RESPONSE)["errorType"] == "Function.ResponseSizeTooLarge"
    assert f"({MAX_RESPONSE + 2} bytes) exceeded" in function.report()


def test_an_error_is_reported_with_its_traceback_from_the_handler_on(function: Function) -> None:
    function.body("raise ValueError('no\\nway')")
    assert function.error() == {"errorType": "ValueError", "errorMessage": "no\nway"}
    lines = function.report().splitlines()
    assert lines[0] == "[ERROR] Traceback (most recent call last):"
    assert lines[1].endswith('code/app.py", line 4, in handler')
    assert lines[-2:] == ["ValueError: no", "way"]
    assert function.shown == []


@pytest.mark.parametrize(
    ("code", "kind", "message", "files"),
    [
        (")\n", "Runtime.UserCodeSyntaxError", "SyntaxError: unmatched ')'", ["app.py"]),
        ("import nowhere\n", "Runtime.ImportModuleError", "No module named 'nowhere'", ["app.py"]),
        ("import shared.broken\n", "Runtime.ImportModuleError", "KeyError: 'x'", ["app.py", "broken.py"]),
        ("x = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'", []),
    ],
)
def test_an_import_error_is_reported_with_the_users_frames(
    function: Function, code: str, kind: str, message: str, files: list[str]
) -> None:
    function.write("shared/broken.py", "{}['x']\n")
    function.write("code/app.py", code)
    assert function.error()["errorType"] == kind
    assert message in function.report()
    frames = [line.split('"')[1] for line in function.report().splitlines() if "File " in line]
    assert [Path(file).name for file in frames] == files
    assert function.report().count("Traceback") <= 1


def test_a_function_that_takes_too_long_is_killed(tmp_path: Path, runtime: WarmRuntime) -> None:
    function = Function(tmp_path, runtime, timeout=0.5)
    function.body("print('before', flush=True); time.sleep(60)")
    assert function.error()["errorType"] == "Sandbox.Timedout"
    request_id, _, rest = function.report().removeprefix("RequestId: ").partition(" ")
    assert len(request_id) == 36
    assert rest == "Task timed out after 0.50 seconds"
    assert function.shown == ["before"]


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("return {1, 2}", "Runtime.MarshalError", "set is not JSON serializable"),
        ("raise type('Bad', (Exception,), {'__str__': None})", "Bad", "Bad"),
        ("os._exit(3)", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("sys.exit(1)", "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        ("os._exit(0)", "Runtime.ExitError", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "Runtime.ExitError", "exited with error: signal: killed"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "Runtime.ExitError", "signal: segmentation fault"),
    ],
)
def test_a_failed_or_dead_function_says_why_and_works_again(
    function: Function, code: str, kind: str, reason: str
) -> None:
    function.body(code)
    assert function.error()["errorType"] == kind
    assert reason in function.report()
    function.body("return 'alive'")
    assert function().payload == b'"alive"'


def test_a_function_killed_during_its_start_says_so_and_works_again(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    function.body("return 'alive'")
    with monkeypatch.context() as patch:
        patch.setattr(ForkServerProcess, "start", Mock(side_effect=BrokenPipeError))
        assert function.error()["errorType"] == "Runtime.ExitError"
    assert "Runtime exited without providing a reason" in function.report()
    assert function().payload == b'"alive"'


@pytest.mark.parametrize(
    "code",
    [
        "print('\\ud800')",
        "sys.stdout.buffer.write(bytes(range(256)))",
        "sys.stderr.write('x' * 2_000_000)",
        "print('[' * 100_000)",
        "os.write(1, b'\\x1e{')",
        "sys.stdout.close()",
    ],
)
def test_any_output_is_harmless(function: Function, code: str) -> None:
    function.body(f"{code}; return os.getpid()")
    first, second = function(), function()
    assert not first.failed
    assert first == second
    function.pool.close(time.monotonic() + 2)
    assert any(function.shown) == ("close" not in code)


def test_the_end_of_the_runtime_does_not_wait_for_a_busy_function(tmp_path: Path) -> None:
    runtime = start_runtime()
    function = Function(tmp_path, runtime)
    function.body("print('busy'); [None for _ in iter(int, 1)]")
    with ThreadPoolExecutor() as threads:
        error = threads.submit(function.error)
        await_text(function.shown)
        runtime.close()
        assert error.result()["errorType"] == "Runtime.ExitError", "it ran until its timeout"


@contextmanager
def forwarding(log: Write, report: Write) -> Iterator[Callable[[bytes], int]]:
    """Forward what is written, until the block ends."""
    reader, writer = Pipe(duplex=False)
    thread = threading.Thread(target=forward, args=("F", reader, log, report))
    thread.start()
    with writer:
        yield lambda data: os.write(writer.fileno(), data)
    thread.join(10)
    assert not thread.is_alive()


def test_lines_printed_together_stay_together() -> None:
    shown = Texts()
    with forwarding(shown, Mock()) as write:
        write(b"Traceback (most recent call last):\n  1 / 0\nZeroDivisionError\n")
    assert shown["F"] == ["Traceback (most recent call last):\n  1 / 0\nZeroDivisionError"]


@given(st.lists(st.binary(max_size=200).filter(lambda data: b"\x1e" not in data) | st.text(), max_size=20))
@settings(max_examples=often(30, 300))
def test_reports_are_separated_from_output(pieces: list[bytes | str]) -> None:
    shown, reports = Texts(), Texts()
    with forwarding(shown, reports) as write:
        for piece in pieces:
            write(pack_report(piece) if isinstance(piece, str) else piece)
    assert reports["F"] == [piece for piece in pieces if isinstance(piece, str)]
    is_printed = any(piece.strip(b"\r\n") for piece in pieces if isinstance(piece, bytes))
    assert any(text.strip("\r\n") for text in shown["F"]) == is_printed


def test_an_endless_line_is_forwarded_in_pieces() -> None:
    shown = Texts()
    with forwarding(shown, Mock()) as write:
        for _ in range(10):
            write(b"x" * (MAX_LINE // 4))
        await_text(shown["F"])
    assert "".join(shown["F"]) == "x" * (MAX_LINE // 4) * 10
    assert max(map(len, shown["F"])) <= MAX_LINE


def test_a_failing_log_does_not_stop_the_function() -> None:
    failing = Mock(side_effect=RuntimeError)
    with forwarding(failing, failing) as write:
        write(b"a\n" + pack_report("b"))
    assert failing.call_count == 2


def test_a_fingerprint_changes_with_code_and_data(tmp_path: Path) -> None:
    seen = {fingerprint(str(tmp_path))}
    (tmp_path / "inner").mkdir()
    for change in (
        lambda: (tmp_path / "app.py").write_text("1"),
        lambda: (tmp_path / "data.json").write_text("{}"),
        lambda: (tmp_path / "data.json").write_text("{ }"),
        lambda: (tmp_path / "inner/x.py").write_text(""),
        lambda: (tmp_path / "app.py").unlink(),
    ):
        change()
        seen.add(fingerprint(str(tmp_path)))
    assert len(seen) == 6


def test_files_of_editors_and_python_do_not_change_a_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text("1")
    before = fingerprint(str(tmp_path))
    Path(".#app.py").symlink_to("user@host.1234:56")
    Path("dangling.py").symlink_to("nowhere.py")
    Path(".app.py.swp").write_text("")
    Path("__pycache__").mkdir()
    Path("__pycache__/app.pyc").write_text("")
    Path("loop").symlink_to(tmp_path)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")  # relative, because the length of its path is limited
        assert fingerprint(str(tmp_path), str(tmp_path / "missing")) == before


def test_files_may_vanish_while_a_fingerprint_is_taken(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as threads:
        taken = threads.submit(lambda: [fingerprint(str(tmp_path)) for _ in range(2000)])
        while not taken.done():
            (tmp_path / "inner").mkdir()
            (tmp_path / "inner/x.py").touch()
            shutil.rmtree(tmp_path / "inner")
    taken.result()


@pytest.mark.parametrize("module", ["value", "shared.value"])
def test_the_next_event_sees_an_edit_of_the_same_size_in_the_same_second(
    function: Function, module: str
) -> None:
    """Bytecode is checked by size and whole seconds, so it would hide such an edit."""
    function.body(f"from {module} import VALUE; return VALUE")
    file = function.folder / ("shared/value.py" if "shared" in module else "code/value.py")
    for value in range(3):
        file.write_text(f"VALUE = {value}\n")
        os.utime(file, ns=(0, 1_800_000_000_000_000_000 + value))
        assert function().payload == str(value).encode()
        py_compile.compile(str(file))  # as a run of the tests does
