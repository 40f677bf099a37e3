"""`make new`: creates a new service from this one, with tasks as its example."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from tools.scaffold.rename import CannotRename, Renaming, rename, tidy, tracked_files

_NAME = "Task API"
_CHANGELOG = """# Changelog

The format is that of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/), and versions follow
[Semantic Versioning](https://semver.org). The version itself stands in `pyproject.toml`.

## 0.1.0 (not released)
"""
_LICENSE = """{name} has no license yet; https://choosealicense.com helps you choose one.

It started as a copy of the Task API, whose license requires you to keep this notice:

{license}"""


def write(name: str, into: Path, root: Path) -> None:
    """Write a new service: a renamed copy of this project, with an empty changelog and no license yet.

    Raises:
        CannotRename: the name is invalid, or the folder is not empty or is in this project.
    """
    renaming = Renaming(_NAME, name)
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise CannotRename(f"{into} already exists: name another folder")
    if into.resolve().is_relative_to(root.resolve()):
        raise CannotRename(f"{into} is in this project: name a folder next to it, such as ../orders")
    files = tracked_files(root)
    for file in files:
        (into / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, into / file)
    rename(into, files, renaming)
    (into / "CHANGELOG.md").write_text(_CHANGELOG, "utf-8")
    license_of_this = (root / "LICENSE").read_text("utf-8")
    (into / "LICENSE").write_text(_LICENSE.format(name=name, license=license_of_this), "utf-8")
    settings = (into / "pyproject.toml").read_text("utf-8")
    settings = re.sub(r'(?m)^version = ".*"$', 'version = "0.1.0"', settings, count=1)
    settings = re.sub(r'(?m)^license = ".*"\n', "", settings, count=1)
    (into / "pyproject.toml").write_text(settings, "utf-8")
    tidy(into)


def main() -> int:
    """Write a new service; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make new NAME="Orders API" INTO=../orders',
        usage="%(prog)s",
        description="Create a service of your own: a copy of this one, with tasks as the example that "
        "you replace. docs/make-it-your-own.md shows how.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the service, such as Orders API")
    parser.add_argument("into", metavar="INTO", type=Path, help="new folder for it, such as ../orders")
    given = parser.parse_args()
    try:
        write(given.name, given.into, Path.cwd())
    except (CannotRename, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {given.name} into {given.into}. Next:\n")
    print(f"  cd {given.into} && git init && git add . && git commit -m 'Begin'")
    print("  make test\n\nThen docs/make-it-your-own.md shows how to replace tasks.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
