"""Functions run as in Lambda: what they answer, how they fail, and what of it is shown."""

from __future__ import annotations

import json
import os
import py_compile
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.local.runtime.fingerprint import fingerprint
from tools.local.runtime.output import MAX_LINE, forward, pack_report
from tools.local.runtime.spec import MAX_RESPONSE, FunctionSpec, Result
from tools.local.runtime.warm import WarmRuntime


class Runtime:
    """A function in workers of its own, and what is shown of it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.shown: list[str] = []
        self.reports: list[str] = []
        (folder / "code").mkdir()
        (folder / "shared").mkdir()
        (folder / "shared/__init__.py").write_text("")
        environment = {"PATH": os.environ["PATH"], "AWS_REGION": "us-east-1"}
        self.spec = FunctionSpec(
            "Function", str(folder / "code"), str(folder), "app.handler", environment, 128, 10, **options
        )
        self._runtime = WarmRuntime(folder, {}, {}, 4, self._show(self.shown), self._show(self.reports))

    @staticmethod
    def _show(into: list[str]) -> Callable[[str, str], None]:
        return lambda _function, text: into.append(text)

    def write(self, code: str, file: str = "code/app.py") -> None:
        (self.folder / file).write_text(code)

    def body(self, code: str) -> None:
        self.write(f"import os, sys, time, signal\n\ndef handler(event, context):\n    {code}\n")

    def __call__(self, event: object = None, timeout: float = 10) -> Result:
        spec = FunctionSpec(**{**vars(self.spec), "timeout": timeout})
        return self._runtime.pool_of(spec).invoke(json.dumps(event).encode())

    def close(self) -> None:
        self._runtime.close()

    def report(self) -> str:
        return awaited(lambda: "\n".join(self.reports))


def awaited(read: Callable[[], str], what: str = "") -> str:
    """Wait for what a thread hands on."""
    deadline = time.monotonic() + 10
    while not (text := read()) or what not in text:
        assert time.monotonic() < deadline, text
        time.sleep(0.01)
    return text


@pytest.fixture
def function(tmp_path: Path) -> Iterator[Runtime]:
    runtime = Runtime(tmp_path)
    yield runtime
    runtime.close()


def error(result: Result) -> dict[str, str]:
    assert result.failed
    parsed: dict[str, str] = json.loads(result.payload)
    return parsed


class TestAnswers:
    def test_a_function_answers_events(self, function: Runtime) -> None:
        function.body("return {'got': event, 'left': context.get_remaining_time_in_millis()}")
        answer = json.loads(function({"a": "ü"}).payload)
        assert answer["got"] == {"a": "ü"}
        assert 0 < answer["left"] <= 10_000

    def test_what_looks_like_an_error_and_was_returned_is_none(self, function: Runtime) -> None:
        function.body("return {'errorMessage': 'x', 'errorType': 'y'}")
        assert not function().failed

    def test_decimals_are_numbers(self, function: Runtime) -> None:
        function.body("from decimal import Decimal; return Decimal('1.5')")
        assert function().payload == b"1.5"

    def test_an_answer_that_is_no_json_is_an_error(self, function: Runtime) -> None:
        function.body("return {1, 2}")
        assert error(function())["errorType"] == "Runtime.MarshalError"
        assert "set is not JSON serializable" in function.report()

    def test_an_answer_has_a_size(self, function: Runtime) -> None:
        function.body("return 'é' * (event // 2)")
        assert not function(MAX_RESPONSE - 2).failed
        assert error(function(MAX_RESPONSE))["errorType"] == "Function.ResponseSizeTooLarge"
        assert f"({MAX_RESPONSE + 2} bytes) exceeded" in function.report()


class TestFailures:
    def test_an_error_is_told_from_the_handler_on_in_one_piece(self, function: Runtime) -> None:
        function.body("raise ValueError('no\\nway')")
        assert error(function()) == {"errorType": "ValueError", "errorMessage": "no\nway"}
        lines = function.report().splitlines()
        assert lines[0] == "[ERROR] Traceback (most recent call last):"
        assert lines[1].endswith('code/app.py", line 4, in handler')
        assert lines[-2:] == ["ValueError: no", "way"]
        assert len(function.reports) == 1
        assert function.shown == []

    def test_an_error_that_cannot_be_read_is_told_too(self, function: Runtime) -> None:
        function.write(
            "class Bad(Exception):\n    def __str__(self):\n        raise RuntimeError\n\n"
            "def handler(event, context):\n    raise Bad\n"
        )
        assert error(function())["errorType"] == "Bad"
        assert "Bad" in function.report()

    @pytest.mark.parametrize(
        ("code", "kind", "message"),
        [
            (")\n", "Runtime.UserCodeSyntaxError", "SyntaxError: unmatched ')'"),
            ("import nowhere\n", "Runtime.ImportModuleError", "No module named 'nowhere'"),
            ("import shared.broken\n", "Runtime.ImportModuleError", "KeyError: 'x'"),
            ("x = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ],
    )
    def test_code_that_cannot_be_imported_is_told_once(
        self, function: Runtime, code: str, kind: str, message: str
    ) -> None:
        function.write("{}['x']\n", "shared/broken.py")
        function.write(code)
        assert error(function())["errorType"] == kind
        assert message in function.report()
        assert len(function.reports) == 1
        for foreign in ("importlib", "tools/local/runtime"):
            assert foreign not in function.report()
        assert function.report().count("Traceback") <= 1

    def test_the_frames_of_ones_own_code_are_told(self, function: Runtime) -> None:
        function.write("{}['x']\n", "shared/broken.py")
        function.write("import shared.broken\n")
        function()
        files = [line.split('"')[1] for line in function.report().splitlines() if "File " in line]
        assert [Path(file).name for file in files] == ["app.py", "broken.py"]

    def test_a_function_that_takes_too_long_is_killed(self, function: Runtime) -> None:
        function.body("print('before', flush=True); time.sleep(60)")
        assert error(function(timeout=0.5))["errorType"] == "Sandbox.Timedout"
        request_id, _, rest = function.report().removeprefix("RequestId: ").partition(" ")
        assert len(request_id) == 36
        assert rest == "Task timed out after 0.50 seconds"
        assert function.shown == ["before"]

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("os._exit(3)", "Runtime exited with error: exit status 3"),
            ("sys.exit(1)", "Runtime exited with error: exit status 1"),
            ("os._exit(0)", "Runtime exited without providing a reason"),
            ("os.kill(os.getpid(), signal.SIGKILL)", "Runtime exited with error: signal: killed"),
            ("os.kill(os.getpid(), signal.SIGSEGV)", "signal: segmentation fault"),
        ],
    )
    def test_a_function_that_dies_says_how(self, function: Runtime, code: str, reason: str) -> None:
        function.body(code)
        assert error(function())["errorType"] == "Runtime.ExitError"
        assert reason in function.report()
        assert len(function.reports) == 1
        function.body("return 'alive'")
        assert function().payload == b'"alive"'

    def test_a_function_that_is_killed_while_it_starts_says_so(
        self, function: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        function.body("return 'alive'")
        with monkeypatch.context() as patch:
            patch.setattr(ForkServerProcess, "start", Mock(side_effect=BrokenPipeError))
            assert error(function())["errorType"] == "Runtime.ExitError"
        assert "Runtime exited without providing a reason" in function.report()
        assert function().payload == b'"alive"'


class TestOutput:
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
    def test_a_function_lives_whatever_it_prints(self, function: Runtime, code: str) -> None:
        function.body(f"{code}; return os.getpid()")
        first = function()
        assert not first.failed
        if "close" not in code:
            function.body("return 0")
            function.body(f"{code}; return os.getpid()")
            assert not function().failed
            awaited(lambda: "".join(function.shown))

    def test_lines_that_are_printed_one_after_the_other_stay_in_one_piece(self) -> None:
        """Such as those of a traceback."""
        reader, writer = Pipe(duplex=False)
        shown: list[str] = []
        with writer:
            for line in ("Traceback (most recent call last):", "  1 / 0", "ZeroDivisionError"):
                os.write(writer.fileno(), f"{line}\n".encode())
        forward("F", reader, lambda _, text: shown.append(text), lambda _, text: None)
        assert shown == ["Traceback (most recent call last):\n  1 / 0\nZeroDivisionError"]

    @given(
        st.lists(st.binary(max_size=200).filter(lambda data: b"\x1e" not in data) | st.text(), max_size=20)
    )
    def test_reports_are_told_from_what_is_printed(self, pieces: list[bytes | str]) -> None:
        reader, writer = Pipe(duplex=False)
        shown: list[str] = []
        reports: list[str] = []
        handlers = (lambda _, text: shown.append(text), lambda _, text: reports.append(text))
        thread = threading.Thread(target=forward, args=("F", reader, *handlers))
        thread.start()
        with writer:
            for piece in pieces:
                os.write(writer.fileno(), pack_report(piece) if isinstance(piece, str) else piece)
        thread.join(10)
        assert not thread.is_alive()
        assert reports == [piece for piece in pieces if isinstance(piece, str)]
        printed = sum(len(piece.strip(b"\r\n")) > 0 for piece in pieces if isinstance(piece, bytes))
        assert bool("".join(shown)) == bool(printed)

    def test_an_endless_line_is_handed_on_in_pieces(self) -> None:
        reader, writer = Pipe(duplex=False)
        lines: list[str] = []
        show = lambda _, text: lines.append(text)  # noqa: E731
        thread = threading.Thread(target=forward, args=("F", reader, show, show))
        thread.start()
        with writer:
            for _ in range(10):
                os.write(writer.fileno(), b"x" * (MAX_LINE // 4))
            awaited(lambda: "".join(lines))
        thread.join(10)
        assert sum(map(len, lines)) == MAX_LINE // 4 * 10
        assert max(map(len, lines)) <= MAX_LINE

    def test_a_log_that_fails_does_not_stop_the_function(self) -> None:
        reader, writer = Pipe(duplex=False)
        thread = threading.Thread(target=forward, args=("F", reader, _raise, _raise))
        thread.start()
        with writer:
            os.write(writer.fileno(), b"a\n" + pack_report("b"))
        thread.join(10)
        assert not thread.is_alive()


def _raise(_function: str, _text: str) -> None:
    raise RuntimeError


class TestFingerprint:
    def test_it_changes_with_code_and_data(self, tmp_path: Path) -> None:
        seen = {fingerprint(str(tmp_path))}
        for change in (
            lambda: (tmp_path / "app.py").write_text("1"),
            lambda: (tmp_path / "data.json").write_text("{}"),
            lambda: (tmp_path / "data.json").write_text("{ }"),
            lambda: (tmp_path / "inner").mkdir() or (tmp_path / "inner/x.py").write_text(""),
            lambda: (tmp_path / "app.py").unlink(),
        ):
            change()
            seen.add(fingerprint(str(tmp_path)))
        assert len(seen) == 6

    def test_what_editors_and_python_leave_does_not_matter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "app.py").write_text("1")
        before = fingerprint(str(tmp_path))
        (tmp_path / ".#app.py").symlink_to("user@host.1234:56")
        (tmp_path / "dangling.py").symlink_to("nowhere.py")
        (tmp_path / ".app.py.swp").write_text("")
        (tmp_path / "__pycache__").mkdir()
        (tmp_path / "__pycache__/app.pyc").write_text("")
        (tmp_path / "loop").symlink_to(tmp_path)
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")  # relative, because the length of its path is limited
            assert fingerprint(str(tmp_path)) == before
        assert fingerprint(str(tmp_path), str(tmp_path / "missing")) == before

    def test_files_may_vanish_meanwhile(self, tmp_path: Path) -> None:
        stopped = threading.Event()

        def change() -> None:
            while not stopped.is_set():
                (tmp_path / "inner").mkdir(exist_ok=True)
                (tmp_path / "inner/x.py").write_text("")
                (tmp_path / "inner/x.py").unlink()
                (tmp_path / "inner").rmdir()

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(2000):
                fingerprint(str(tmp_path))
        finally:
            stopped.set()
            thread.join()

    def test_the_next_event_meets_the_new_code(self, function: Runtime) -> None:
        function.body("return 1")
        assert function().payload == b"1"
        function.body("return 2")
        assert function().payload == b"2"
        (function.folder / "shared/.#x.py").symlink_to("nowhere")
        assert function().payload == b"2"

    def test_an_edit_of_the_same_size_in_the_same_second_counts(
        self, function: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Bytecode is checked by size and whole seconds, so it would hide such an edit."""
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        function.body("from shared.value import VALUE; return VALUE")
        file = function.folder / "shared/value.py"
        for value in range(3):
            file.write_text(f"VALUE = {value}\n")
            os.utime(file, ns=(0, 1_800_000_000_000_000_000 + value))
            assert function().payload == str(value).encode()
            py_compile.compile(str(file))  # as a run of the tests does


class TestEnding:
    def test_a_busy_function_is_not_waited_for(self, function: Runtime) -> None:
        function.body("print('busy'); [None for _ in iter(int, 1)]")
        with ThreadPoolExecutor() as threads:
            result = threads.submit(function)
            awaited(lambda: "\n".join(function.shown), "busy")
            started = time.monotonic()
            function.close()
            assert result.result().failed
        assert time.monotonic() - started < 8  # the function's timeout is 10 s
