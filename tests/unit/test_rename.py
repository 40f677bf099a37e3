"""`make rename`: which names it accepts, and how it renames them in text and paths."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.scaffold import new, rename
from tools.scaffold.rename import CannotRename, Renaming, plural


@pytest.mark.parametrize(
    ("old", "new", "text", "renamed"),
    [
        ("nut", "olive", "crack_nut, nutsOf, {nut_id}", "crack_olive, olivesOf, {olive_id}"),
        ("nut", "olive", "Nut: NUT#, NutsTable, ListNuts", "Olive: OLIVE#, OlivesTable, ListOlives"),
        ("nut", "olive", "walnut, Nutcracker, WALNUT", "walnut, Nutcracker, WALNUT"),
        ("nut", "olive", "A nut, a `nut`, test_a_nut_is", "An olive, an `olive`, test_an_olive_is"),
        ("olive", "nut", "an olive, An Olive, and olives", "a nut, A Nut, and nuts"),
        ("nut", "big olive", "nut nuts Nut NUT", "big_olive big_olives BigOlive BIG_OLIVE"),
        ("nut", "berry", "nuts, NUTS", "berries, BERRIES"),
        ("IN_BLOOM", "RIPE", "IN_BLOOM: x in bloom, InBloom", "RIPE: x in bloom, Ripe"),
        ("in bloom", "ripe", "In bloom, x in bloom", "Ripe, x ripe"),
        ("Water Mill", "Oil Mill", "Water Mill, water-mill, WaterMill", "Oil Mill, oil-mill, OilMill"),
        ("Water Mill", "Oil Mill", "water_mill, WATER_MILL_HOST, water", "oil_mill, OIL_MILL_HOST, water"),
    ],
)  # fmt: skip
def test_each_spelling_is_renamed_and_no_other_word(old: str, new: str, text: str, renamed: str) -> None:
    assert Renaming(old, new)(text) == renamed


@pytest.mark.parametrize(
    ("word", "many"), [("box", "boxes"), ("day", "days"), ("entry", "entries"), ("match", "matches")]
)
def test_plurals_follow_the_common_rules(word: str, many: str) -> None:
    assert plural(word) == many


@pytest.mark.parametrize("name", ["", "1st", "a/b", "naïve", "../x", "two  spaces", "end-"])
def test_a_word_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(CannotRename, match="is not a name"):
        Renaming("nut", name)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three files, two of them tracked by git."""
    project = tmp_path / "project"
    (project / "tasks").mkdir(parents=True)
    (project / "tasks/task.py").write_text("task = 'Task'\r\n", newline="")
    (project / "task.png").write_bytes(b"task \xff")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    (project / "task.tmp").write_text("task")
    monkeypatch.chdir(project)
    return project


def test_tracked_files_are_renamed_with_their_text(project: Path) -> None:
    files = rename.tracked_files(project)
    (project / "tasks/__pycache__").mkdir()
    (project / "tasks/__pycache__/task.cpython-313.pyc").touch()
    assert rename.rename(project, files, Renaming("task", "order")) == 1
    there = {
        path.relative_to(project).as_posix() for path in project.rglob("*.*") if ".git/" not in str(path)
    }
    assert there >= {"orders/order.py", "task.png", "task.tmp"}
    assert not (project / "tasks").exists()
    assert (project / "orders/order.py").read_bytes() == b"order = 'Order'\r\n"


@pytest.mark.parametrize("is_tracked", [False, True])
def test_existing_files_are_not_overwritten(project: Path, is_tracked: bool) -> None:
    (project / "orders").mkdir()
    (project / "orders/order.py").write_text("mine")
    if is_tracked:
        subprocess.run(["git", "add", "."], cwd=project, check=True)
    with pytest.raises(CannotRename, match=r"orders/order\.py already exists"):
        rename.rename(project, rename.tracked_files(project), Renaming("task", "order"))
    assert (project / "tasks/task.py").exists()


def test_the_target_of_a_link_is_not_changed(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("task")
    (project / "link.txt").symlink_to(elsewhere)
    subprocess.run(["git", "add", "link.txt"], cwd=project, check=True)
    rename.rename(project, rename.tracked_files(project), Renaming("task", "order"))
    assert elsewhere.read_text() == "task"


@pytest.mark.parametrize(
    ("module", "arguments", "reason"),
    [
        (rename, ["task", "order"], "there are uncommitted changes"),
        (rename, ["task", ""], "“” is not a name"),
        (rename, ["task", "Task"], "are the same name"),
        (new, ["Orders API", "inside"], "is in this project"),
        (new, ["Orders API", "tasks"], "already exists"),
        (new, ["???", "../orders"], "“???” is not a name"),
    ],
)
def test_an_impossible_renaming_is_refused_in_one_line(
    project: Path,
    module: object,
    arguments: list[str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["tool", *arguments])
    assert module.main() == 1  # type: ignore[attr-defined]
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert reason in error
    assert error.count("\n") == 1
    assert not (project.parent / "orders").exists()
