"""`make rename`: renames something in code, texts and file names."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

KEPT = {"LICENSE", "docs/make-it-your-own.md", "tools/local/gateway/server.py"}
"""Unchanged files: a notice, the guide to this command, and a module that uses waitress's own tasks."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[ _-][A-Za-z0-9]+)*")


class CannotRename(Exception):
    """The message says why, and what to do."""


class Renaming:
    """Replaces a name in each spelling: Task API, task-api, TASK_API and TaskApi."""

    def __init__(self, old: str, new: str) -> None:
        """Create the replacement patterns.

        Raises:
            CannotRename: a name is invalid, or both are the same.
        """
        before, after = _words(old), _words(new)
        if before == after:
            raise CannotRename(f"“{old}” and “{new}” are the same name")
        # Names in code come last, and override equal spellings in text. Several words count as text only if
        # they are given with spaces: code has `value in progress`.
        self._pairs = {old: new}
        if " " in old or len(before) == 1:
            self._pairs |= dict(zip(_in_text(before), _in_text(after), strict=True))
        self._pairs |= dict(zip(_in_code(before), _in_code(after), strict=True))
        if len(before) == 1:
            plurals = [plural(before[0])], [*after[:-1], plural(after[-1])]
            self._pairs |= dict(zip(*map(_in_code, plurals), strict=True))
        # Do not match within longer words: ListTasks is renamed, multitasking is not.
        forms = sorted(self._pairs, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_alone, forms)))
        self._articles = re.compile(rf"(?<![^\W_])(a)n?(?=[ _]\W?{re.escape(after[0])})", re.IGNORECASE)
        self._article = r"\1n" if after[0][0].lower() in "aeiou" else r"\1"

    def __call__(self, text: str) -> str:
        """Rename in a text, and adapt articles: a task, an order."""
        renamed = self._pattern.sub(lambda found: self._pairs[found[0]], text)
        return renamed if renamed == text else self._articles.sub(self._article, renamed)


def plural(word: str) -> str:
    """Regular plural of a noun."""
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|z|ch|sh)$", word) else f"{word}s"


def _words(name: str) -> list[str]:
    if not _NAME.fullmatch(name):
        raise CannotRename(f"“{name}” is not a name: use words of letters and digits, such as Orders API")
    return re.split(r"[ _-]", name.lower())


def _in_text(words: list[str]) -> list[str]:
    text = " ".join(words)
    return [text, text[0].upper() + text[1:], text.title()]


def _in_code(words: list[str]) -> list[str]:
    snake = "_".join(words)
    return ["-".join(words), snake, snake.upper(), "".join(map(str.title, words))]


def _alone(form: str) -> str:
    """Pattern that matches a spelling as a word, or as a part of a name in code."""
    if form.isupper():
        return rf"(?<![A-Z]){form}(?![A-Z])"
    return rf"{'(?<![A-Za-z])' if form[0].islower() else ''}{re.escape(form)}(?![a-z])"


def tracked_files(root: Path) -> list[str]:
    """List a project's files in git, without symbolic links, which may lead out of it.

    Raises:
        CannotRename: there are none.
    """
    command = ["git", "ls-files", "-z"]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True)  # noqa: S603
    if found.returncode or not found.stdout:
        raise CannotRename(f"git has no files in {root}: clone the project, or commit it")
    names = found.stdout.split("\0")
    return [name for name in names if (root / name).is_file() and not (root / name).is_symlink()]


def rename(root: Path, names: Sequence[str], renaming: Renaming) -> int:
    """Rename in files, and rename the files; returns how many changed.

    Raises:
        CannotRename: two files would get the same name.
    """
    targets = Counter(map(renaming, names))
    for name in names:
        new = renaming(name)
        if targets[new] > 1 or (new != name and (root / new).exists()):
            raise CannotRename(f"{new} already exists, or two files would get this name: rename one first")
    changed = 0
    for name in names:
        source, target = root / name, root / renaming(name)
        try:
            text = source.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        renamed = text if name in KEPT else renaming(text)
        if (target, renamed) != (source, text):
            changed += 1
            source.write_bytes(renamed.encode())
            if target != source:
                shutil.rmtree(
                    source.parent / "__pycache__", ignore_errors=True
                )  # otherwise its folder remains
            os.renames(source, target)  # creates folders, and removes empty ones
    return changed


def tidy(root: Path) -> None:
    """Sort imports, format, and regenerate the documents that derive from code.

    Raises:
        CannotRename: a step failed; its output is printed.
    """
    for command in (
        ["ruff", "check", "--quiet", "--fix", "--select", "I"],
        ["ruff", "check", "--quiet", "--select", "F811"],  # two things with the same name
        ["ruff", "format", "--quiet"],
        ["tools.openapi"],
        ["tools.costs"],
    ):
        done = subprocess.run([sys.executable, "-m", *command], cwd=root, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            print(done.stdout + done.stderr, file=sys.stderr)
            raise CannotRename(f"{command[0]} failed, see above: the new name changes what the code means")


def main() -> int:
    """Rename something in this project; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='make rename FROM="task" TO="order"',
        usage="%(prog)s",
        description="Rename something in code, texts and file names, in each spelling and "
        "in the plural: tasks, ListTasks, TASK# and create_task become orders, ListOrders, ORDER# and "
        "create_order.",
        epilog="Review the changes with `git diff HEAD`; `git reset --hard` undoes them.",
    )
    parser.add_argument("old", metavar="FROM", help="current name, such as task")
    parser.add_argument("new", metavar="TO", help="new name, such as order")
    given = parser.parse_args()
    root = Path.cwd()
    try:
        renaming = Renaming(given.old, given.new)
        status = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True)  # noqa: S607
        if status.stdout:
            raise CannotRename(
                "there are uncommitted changes: commit them, so that you can undo the renaming"
            )
        changed = rename(root, tracked_files(root), renaming)
        if not changed:
            raise CannotRename(f"nothing is called {given.old}")
    except CannotRename as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)  # noqa: S607 (a reset then also removes new files)
    try:
        tidy(root)
    except CannotRename as error:
        print(f"error: {error}. `git reset --hard` undoes the renaming", file=sys.stderr)
        return 1
    print(f"{changed} files changed. Review them with `git diff HEAD`, then run `make test`; `make pictures`")
    print("redraws the pictures. Stored data keeps the old name: start with an empty stack.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
