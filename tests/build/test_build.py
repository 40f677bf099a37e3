"""The output of `sam build` has all that Lambda needs, for both architectures, and nothing else."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from samcli.lib.utils.hash import dir_checksum

from tests.local_stack import ROOT
from tests.optional import LAMBDA_PYTHON, needs_lambda_python
from tests.sam_cli import lay_layers
from tests.template import TEMPLATE, functions_of

pytestmark = needs_lambda_python
FUNCTIONS = {
    function.logical_id: ROOT / function.properties["CodeUri"] for function in functions_of(TEMPLATE).values()
}
"""The folder of each function's code."""
# The machine types of ELF files. See https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
ELF_MACHINES = {"CompiledLayerArm64": 183, "CompiledLayerX86": 62}


@pytest.fixture(scope="module")
def layer(built: Path) -> Path:
    return built / "SharedLayer/python"


VARIABLES = [
    "CORS_ORIGIN",
    "EVENT_BUS",
    "HISTORY_TABLE",
    "NOTIFIED_TABLE",
    "REDIS_URL",
    "SIGN_UP",
    "STACK_ID",
    "TASKS_TABLE",
    "TOKEN_SECRET",
    "USERS_TABLE",
    "WEBHOOKS_TABLE",
    "WEBHOOKS_TO_LOOPBACK",
    "WEBHOOK_DELIVERIES_QUEUE",
]


@pytest.fixture(scope="module")
def opt(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layers merged, as in Lambda's /opt."""
    folder = tmp_path_factory.mktemp("opt")
    lay_layers(built, folder)
    return folder


def run(built: Path, opt: Path, function: str, code: str) -> str:
    """Run code next to the handler, as Lambda does: with the function's folder, the layers and no more."""
    paths = [str(built / function), str(opt / "python")]
    done = subprocess.run(
        [LAMBDA_PYTHON.path, "-I", "-S", "-B", "-c", f"import sys; sys.path[:0] = {paths}\n{code}"],
        env={
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "POWERTOOLS_SERVICE_NAME": "task-api",
            **dict.fromkeys(VARIABLES, ""),
            "TOKEN_LIFETIME": "3600",
            "STATUS_SHARDS": "1",
            "TRASH_RETENTION": "30",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def invoke(built: Path, opt: Path, function: str, event_name: str) -> list[str]:
    """Invoke a function with a sample event; returns the lines it prints, and last the response's status."""
    event = json.loads((ROOT / f"events/{event_name}.json").read_text())
    code = f"""
import app
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = ""
print(app.handler({event!r}, Context())["statusCode"])
"""
    return run(built, opt, function, code).splitlines()


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.skipif(platform.system() != "Linux", reason="the layer's libraries are for Linux")
def test_each_handler_imports_only_from_the_build(built: Path, opt: Path, function: str) -> None:
    code = """
import os, threading
import app
assert callable(app.handler)
standard = {sys.base_prefix, *sys.path[2:]}
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None)
    assert not file or file.startswith((*sys.path[:2], *standard)), file
    if file and file.startswith(sys.path[1]) and file.endswith(".py"):
        assert module.__cached__ and os.path.exists(module.__cached__), file
descriptors = [os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")]
assert not [each for each in descriptors if "socket" in each], "a snapshot would have a connection"
assert threading.active_count() == 1, "a snapshot would have a thread"
print(app.__file__)
"""
    assert run(built, opt, function, code).strip() == str(built / function / "app.py")


@pytest.mark.skipif(platform.system() != "Linux", reason="the layer's libraries are for Linux")
def test_a_request_needs_nothing_outside_of_the_build(built: Path, opt: Path) -> None:
    """Up to the call of DynamoDB, which cannot be reached."""
    assert invoke(built, opt, "GetTaskFunction", "get_task")[-1] == "503"
    assert invoke(built, opt, "ListTasksFunction", "list_tasks")[-1] == "503"


@pytest.mark.skipif(platform.system() != "Linux", reason="the layer's libraries are for Linux")
def test_the_documentation_needs_nothing_outside_of_the_build(built: Path, opt: Path) -> None:
    assert invoke(built, opt, "ApiDocsFunction", "api_docs")[-1] == "200"


@pytest.mark.skipif(platform.system() != "Linux", reason="the layer's libraries are for Linux")
def test_passwords_and_tokens_need_nothing_outside_of_the_build(built: Path, opt: Path) -> None:
    code = """
from shared.users import passwords
from shared.users.user import User
from shared.users.token_keys import TokenKey
from shared.users.tokens import TokenSigner
hashed = passwords.hash_password("correct horse")
assert passwords.verify("correct horse", hashed) == (True, None)
assert passwords.verify("another", hashed) == (False, None)
passwords.verify_nobodys("correct horse")
class Keys:
    current = find = lambda *_: TokenKey("1", "a signing key of the length that one has to have at least")
signer = TokenSigner(Keys())
user = User("1", "ada", 0, "1")
print(signer.verify(signer.issue(user, "a session", lifetime=60)).identity.username)
"""
    assert run(built, opt, "LoginFunction", code).strip() == "ada"


def test_functions_are_small_and_hold_only_their_own_code(built: Path) -> None:
    for function, source in FUNCTIONS.items():
        files = {path.relative_to(built / function).as_posix() for path in (built / function).rglob("*")}
        assert files == {path.name for path in source.iterdir()} - {"__pycache__"}


@pytest.mark.parametrize("compiled", sorted(ELF_MACHINES))
def test_compiled_libraries_are_for_their_architecture(built: Path, compiled: str) -> None:
    libraries = [path for path in (built / compiled).rglob("*") if path.is_file()]
    assert len(libraries) >= 3
    for library in libraries:
        header = library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == ELF_MACHINES[compiled]


def test_the_bytecode_is_never_checked(layer: Path) -> None:
    ours = list((layer / "shared").rglob("*.py"))
    assert len(ours) > 15
    for source in ours:
        bytecode = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        # PEP 552: the flags after the magic number; 1 is a hash that is not checked.
        assert bytecode.read_bytes()[4:8] == b"\x01\0\0\0", source
    # Libraries have no source that their bytecode could be checked against.
    assert set(layer.rglob("*.py")) == set(ours)
    assert len(list(layer.rglob("*.pyc"))) > 400


@pytest.mark.parametrize("compiled", sorted(ELF_MACHINES))
def test_the_layers_take_at_most_15_megabytes(layer: Path, built: Path, compiled: str) -> None:
    files = [*layer.rglob("*"), *(built / compiled).rglob("*")]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 15_000_000


def test_the_layer_has_no_unused_files(layer: Path) -> None:
    services = {path.name for path in (layer / "botocore/data").iterdir() if path.is_dir()}
    assert services == {"dynamodb", "events", "secretsmanager", "sqs"}
    names = {path.name for path in layer.iterdir()}
    assert not list(layer.rglob("*.so"))
    assert not names & {"bin", "moto", "pytest", "samcli", "tools", "tests", "functions"}
    assert (layer / "shared/tasks/task.py").read_text() == (ROOT / "shared/tasks/task.py").read_text()


def test_the_layer_lists_its_contents(built: Path) -> None:
    sbom = json.loads((built / "SharedLayer/sbom.cdx.json").read_text())
    listed = {component["purl"] for component in sbom["components"]}
    lock = (ROOT / "requirements/runtime.txt").read_text()
    locked = {
        f"pkg:pypi/{name}@{version}" for name, version in re.findall(r"^([\w-]+)==([\w.]+)", lock, re.M)
    }
    assert listed <= locked
    needed = re.findall(
        r'^    "([\w-]+)', (ROOT / "pyproject.toml").read_text().partition("[dependency")[0], re.M
    )
    assert {name.lower() for name in needed} <= {component["name"] for component in sbom["components"]}
    assert len(needed) >= 6


def test_another_version_of_a_compiled_library_is_another_shared_layer(tmp_path: Path) -> None:
    """Functions depend on the shared layer's version, so only a new one publishes new versions of them."""
    locks = [(ROOT / "requirements/runtime.txt").read_text()]
    locks.append(with_older(locks[0], "hiredis"))
    layers = [build_shared_layer(tmp_path / str(number), lock) for number, lock in enumerate(locks)]
    packages = [{path.name for path in (layer / "python").iterdir()} for layer in layers]
    assert packages[0] == packages[1]
    assert dir_checksum(str(layers[0])) != dir_checksum(str(layers[1]))


def with_older(lock: str, package: str) -> str:
    """A lock with an older version of a package."""
    version = re.search(rf"^{package}==(\S+)", lock, re.MULTILINE)[1]  # type: ignore[index]
    older = subprocess.run(
        [
            ROOT / ".venv/bin/uv",
            "pip",
            "compile",
            "-",
            "--quiet",
            "--universal",
            "--generate-hashes",
            "--no-header",
        ],
        input=f"{package}<{version}",
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    return re.sub(rf"^{package}==.*\n(?:    .*\n)*", older, lock, flags=re.MULTILINE)


def build_shared_layer(folder: Path, lock: str) -> Path:
    """Build the shared layer as `sam build` does, with another lock."""
    project = folder / "project"
    for name in ("layer", "requirements", "shared"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", project)
    (project / "requirements/runtime.txt").write_text(lock)
    command = [
        "make",
        "build-SharedLayer",
        f"ARTIFACTS_DIR={folder / 'layer'}",
        f"LAYER_PYTHON={LAMBDA_PYTHON.path}",
    ]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "layer"
