"""Weighted rewards: how they are written, and what cannot be written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiogen.errors import InputError
from audiogen.tunes.rewards import REWARDS, build_reward
from audiogen.tunes.tune import NOTE, Part, Tune

QUARTER = 24


def melody(pitches: list[int], quarters: float = 0.5, start: float = 0.0) -> Tune:
    """Notes of one length, one after the other; times in quarter notes."""
    notes = np.zeros(len(pitches), NOTE)
    notes["start"] = np.rint((start + quarters * np.arange(len(pitches))) * QUARTER)
    notes["end"] = notes["start"] + round(quarters * QUARTER)
    notes["pitch"], notes["velocity"] = pitches, 80
    return Tune(notes, (Part(),), QUARTER)


G_TUNE = melody([67, 71, 74, 71, 67, 69, 71, 72, 74, 76, 78, 79, 78, 74, 71, 67])


def test_weighted_mean_of_texts_mapping_and_yaml(tmp_path: Path) -> None:
    path = tmp_path / "rewards.yaml"
    path.write_text("rewards:\n  ending:G: 1\n  range:..C5: 3\n")
    expected = (1 * 1.0 + 3 * 1 / (1 + 7)) / 4  # seven notes are above C5
    for config in (["ending:G", "range:..C5=3"], {"ending:G": 1, "range:..C5": 3}, path):
        reward = build_reward(config)
        assert reward(G_TUNE) == pytest.approx(expected)
        assert [value.name for value in reward.values(G_TUNE)] == ["ending:G", "range:..C5"]
    assert reward.name == "ending:G + range:..C5=3"


def test_partial_leaves_out_what_needs_the_end() -> None:
    assert build_reward(["ending:G"]).partial(G_TUNE, 192) == 0
    assert build_reward(["ending:C", "range:..G6"]).partial(G_TUNE, 192) == 1


def test_functions_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_rules.py").write_text(
        "def few(tune):\n    return 1 / len(tune.notes)\n\n\n"
        "def as_long(tune, prompt):\n    return 0.25 if prompt is None else 1.0\n\n\n"
        "def wrong(tune):\n    return 2\n"
    )
    monkeypatch.chdir(tmp_path)
    assert build_reward(["my_rules:few"])(G_TUNE) == 1 / 16
    assert build_reward(["my_rules:as_long"])(G_TUNE) == 0.25
    assert build_reward(["my_rules:as_long"]).given(G_TUNE)(melody([67], start=8)) == 1
    with pytest.raises(InputError, match="returns 2"):
        build_reward(["my_rules:wrong"])(G_TUNE)
    with pytest.raises(InputError, match="no function many"):
        build_reward(["my_rules:many"])
    with pytest.raises(InputError, match="cannot be imported"):
        build_reward(["no_such_module:few"])
    with pytest.raises(InputError, match="max: its parameters are not known"):
        build_reward(["builtins:max"])


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("def few(tune) return 1", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("assert 0", "AssertionError;"),
    ],
)
def test_a_module_of_the_user_that_fails(
    code: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing_rules.py").write_text(code + "\n")
    with pytest.raises(InputError, match=rf"^reward failing_rules:few: importing failing_rules raises {cause}"):
        build_reward(["failing_rules:few"])


def test_a_function_of_the_user_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first_rules.py").write_text("def pitch(tune):\n    return tune.notes['pitch'][0] / 127\n")
    monkeypatch.chdir(tmp_path)
    reward = build_reward(["first_rules:pitch"])
    assert reward(G_TUNE) == pytest.approx(67 / 127)
    with pytest.raises(InputError, match=r"^first_rules:pitch: it raises IndexError \(.*one without notes$"):
        reward(melody([]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("melodious", "choose from key, ending"),
        ("ending=0", "no positive number"),
        ("ending:H", "no key"),
        ("range:B5", "write it as"),
        ("range:B5..G3", "lowest pitch is above"),
        ("range:..X5", "no pitch"),
        ("chords", "names no chords"),
        ("chords:G,H", "no chord"),
        ("answer:1", "number of bars"),
        ("form:A", "no form"),
        ("style:nowhere", "no such folder"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_reward([text])


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        build_reward(["ending", "ending=2"])


@pytest.mark.parametrize("name", ["chords:G,C" if name == "chords" else name for name in REWARDS if name != "critic"])
def test_every_reward_lies_in_its_range(name: str) -> None:
    for tune in (G_TUNE, melody([]), melody([60]), melody([0, 127] * 8)):
        assert 0 <= build_reward([name])(tune) <= 1
