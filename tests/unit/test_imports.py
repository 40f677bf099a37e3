"""Imports point one way, and never in a cycle."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter

from tests.local_stack import ROOT

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for folder in ("functions", "shared", "tools")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "__init__.py"
}


def imports(module: str) -> Iterator[str]:
    """The project's modules that a module imports, also for types and within functions."""
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from {node.module, *(f"{node.module}.{each.name}" for each in node.names)} & MODULES.keys()
        elif isinstance(node, ast.Import):
            yield from {each.name for each in node.names} & MODULES.keys()


IMPORTS = {module: set(imports(module)) for module in MODULES}


def package(module: str) -> str:
    """The package of a module, such as `shared.tasks`. A module directly in `shared` counts as a package."""
    names = module.split(".")
    return ".".join(names[:2]) if names[0] == "shared" else names[0]


def test_no_module_imports_itself_through_others() -> None:
    TopologicalSorter(IMPORTS).prepare()  # raises CycleError, which names the cycle


def test_no_package_imports_itself_through_others() -> None:
    packages: defaultdict[str, set[str]] = defaultdict(set)
    for module, imported in IMPORTS.items():
        packages[package(module)] |= {package(each) for each in imported} - {package(module)}
    TopologicalSorter(packages).prepare()
    assert not packages["shared.tasks"] & {"shared.api", "functions", "tools"}
