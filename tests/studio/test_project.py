"""A project survives, undoes what was decided, and is never half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogen.errors import InputError
from audiogen.studio.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "rain.wav.studio", "rain.wav")
    for seed in (0, 1):
        made.add_take(".wav", {"seed": seed})
    return made


def again(project: Project) -> Project:
    return Project(project.folder, project.recording)


def test_decisions_survive_and_are_undone_one_by_one_also_later(project: Project) -> None:
    project.change(1, "mark", "kept")
    project.change(1, "note", "the long one")
    project.change(None, "level", -6.0)
    project.change(1, "mark", "aside")
    later = again(project)
    assert later.as_json() == project.as_json() | {"takes": later.as_json()["takes"]}
    assert (later.take(1).mark, later.take(1).note, later.settings) == ("aside", "the long one", {"level": -6.0})
    steps = []
    while later.undo():
        steps.append((later.take(1).mark, later.take(1).note, later.settings.get("level")))
    assert steps == [("kept", "the long one", -6.0), ("kept", "the long one", None), ("kept", "", None), ("", "", None)]
    assert not later.undo()
    while later.redo():
        pass
    assert (later.take(1).mark, later.take(1).note) == ("aside", "the long one")
    assert again(later).revision == later.revision > project.revision


def test_a_new_decision_ends_what_could_be_redone_and_the_same_value_is_none(project: Project) -> None:
    project.change(2, "mark", "kept")
    project.undo()
    project.change(2, "note", "x")
    assert not project.redo()
    revision = project.revision
    project.change(2, "note", "x")
    assert project.revision == revision


def test_undo_leaves_takes_that_were_made_since(project: Project) -> None:
    project.change(1, "mark", "kept")
    third = project.add_take(".wav", {"seed": 2})
    project.update(third.id, "failed", {"error": "x"})
    assert project.undo()
    assert [take.state for take in project.takes.values()] == ["waiting", "waiting", "failed"]


def test_takes_that_were_being_made_when_the_studio_ended_are_cancelled(project: Project) -> None:
    project.update(1, "making", {})
    project.update(2, "made", {})  # but its file is gone
    later = again(project)
    assert [take.state for take in later.takes.values()] == ["cancelled", "failed"]


@pytest.mark.parametrize(
    ("field", "value"), [("mark", "loved"), ("note", 3), ("note", "x" * 9999), ("file", "x"), ("id", 5)]
)
def test_other_fields_and_values_are_refused(project: Project, field: str, value: object) -> None:
    before = project.as_json()
    with pytest.raises(InputError):
        project.change(1, field, value)
    assert project.as_json() == before


def test_a_damaged_file_or_one_that_leads_elsewhere_is_refused(project: Project) -> None:
    file = project.folder / "project.json"
    content = json.loads(file.read_text())
    content["takes"][0]["file"] = "../../rain.wav"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="outside its folder"):
        again(project)
    for text in ("{", "[]", '{"version": 99}'):
        file.write_text(text)
        with pytest.raises(InputError, match=r"project\.json"):
            again(project)
    assert not list(project.folder.glob(".audiogen*"))
