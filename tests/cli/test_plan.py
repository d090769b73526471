"""`audiogen continue --plan`: tails that fulfil rules, and what is said about the search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from audiogen.api.tunes import continue_tune
from audiogen.audio import write
from audiogen.cli.continue_ import continue_
from audiogen.cli.plan_options import PLANNER_NAMES, REWARD_NAMES
from audiogen.errors import InputError
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.planning import PLANNERS
from audiogen.tunes.rewards import REWARDS
from audiogen.tunes.tune import Tune
from tests.conftest import synthetic
from tests.tunes.rewards.tunes import BAR, PROMPT

G_MAJOR = (7, 9, 11, 0, 2, 4, 6)
B5 = 83


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(continue_, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    write_midi(tmp_path / "tune.mid", PROMPT)
    return tmp_path / "tune.mid"


def opening(tune: Tune, first_bar: int) -> set[tuple[int, int]]:
    """Onsets and pitches of two bars, relative to the first of them."""
    bar = BAR * tune.ticks_per_quarter // PROMPT.ticks_per_quarter
    notes = tune.between(first_bar * bar, (first_bar + 2) * bar).notes
    return set(zip((notes["start"] - first_bar * bar).tolist(), notes["pitch"].tolist(), strict=True))


def test_sixteen_bars_in_g_that_answer_the_first_four(prompt: Path, tmp_path: Path) -> None:
    """Judged here without the rewards: key, last note, highest note, and a phrase that begins like the first one.

    Of twenty seeds, see `tools/check_planning.py`.
    """
    out = tmp_path / "out.mid"
    rules = [word for rule in ("key:G", "ending:G", "range:..B5", "answer:4") for word in ("--reward", rule)]
    done = invoke(prompt, "-o", out, "--bars", 16, "--plan", "mcts", *rules, "--seed", 1)
    assert "without a plan" in done.stdout
    tune = read_midi(out)
    tail = tune.notes[len(PROMPT.notes) :]
    bar = BAR * tune.ticks_per_quarter // PROMPT.ticks_per_quarter
    assert 19 * bar < tune.end <= 20 * bar
    assert np.isin(tail["pitch"] % 12, G_MAJOR).mean() >= 0.95
    assert tail["pitch"][-1] % 12 == 7
    assert tail["pitch"].max() <= B5
    question, reply = opening(tune, 0), opening(tune, 16)
    assert len(question & reply) >= 0.4 * len(question)
    assert opening(tune, 18) != opening(tune, 2)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """Sidecars of one prompt by each planner."""
    folder = tmp_path_factory.mktemp("searched")
    write_midi(folder / "tune.mid", PROMPT)
    for kind in PLANNER_NAMES:
        rules = ["--reward", "ending:G", "--reward", "leaps=2"]
        invoke(
            folder / "tune.mid", "-o", folder / f"{kind}.mid", "--bars", 2, "--plan", kind, "--simulations", 12, *rules
        )
    return {kind: json.loads((folder / f"{kind}.json").read_text()) for kind in PLANNER_NAMES}


@pytest.mark.parametrize("kind", PLANNER_NAMES)
def test_the_sidecar_tells_what_the_search_gained(searched: dict[str, dict], kind: str) -> None:
    plan = searched[kind]["plan"]
    assert plan["planner"] == kind
    assert plan["work"] <= plan["simulations"] <= 12
    assert [each["name"] for each in plan["rewards"]] == ["ending:G", "leaps"]
    mean = sum(each["value"] * each["weight"] for each in plan["rewards"]) / 3
    assert plan["reward"] == pytest.approx(mean, abs=1e-3)
    assert plan["gain"] == pytest.approx(plan["reward"] - plan["without_plan"], abs=1e-3)
    assert plan["gain"] >= 0
    assert searched[kind]["settings"]["plan"]["rewards"] == {"ending:G": 1, "leaps": 2}


def test_a_search_from_python_is_reproducible(prompt: Path) -> None:
    options = {"bars": 2, "rewards": ["ending:G"], "simulations": 8}
    first, second = (continue_tune(prompt, **options) for _ in range(2))  # type: ignore[arg-type]
    assert np.array_equal(first.tail.notes, second.tail.notes)
    assert first.sidecar["plan"]["planner"] == "mcts"
    timed = continue_tune(PROMPT, bars=2, plan="best-of", think=0.01)
    assert timed.sidecar["plan"]["simulations"] >= 1


def test_rewards_from_yaml_and_takes_of_best_of(prompt: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("ending: 3\n")
    arguments = (
        "--bars",
        2,
        "--plan",
        "best-of",
        "--takes",
        5,
        "--rewards",
        tmp_path / "rules.yaml",
        "--reward",
        "leaps",
    )
    invoke(prompt, "-o", tmp_path / "out.mid", *arguments)
    plan = json.loads((tmp_path / "out.json").read_text())["plan"]
    assert [(each["name"], each["weight"]) for each in plan["rewards"]] == [("ending", 3), ("leaps", 1)]
    assert plan["simulations"] <= 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plan", "minimax"], "choose from mcts"),
        (["--reward", "beauty"], "choose from key"),
        (["--reward", "ending", "--simulations", 5, "--think", 1], "leave out one"),
        (["--plan", "mcts", "--takes", 3], "--simulations"),
        (["--rewards", "nowhere.yaml"], "cannot be read"),
    ],
)
def test_what_cannot_be_planned_is_refused(prompt: Path, tmp_path: Path, arguments: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        invoke(prompt, "-o", tmp_path / "out.mid", "--bars", 2, *arguments)
    assert not (tmp_path / "out.mid").exists()


def test_the_help_names_all_planners_and_rewards() -> None:
    assert set(PLANNER_NAMES) == set(PLANNERS)
    assert set(REWARD_NAMES) == set(REWARDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plan", "mcts"], "searches for notes"),
        (["--reward", "ending"], "does not apply"),
        (["--takes", 3], "not apply"),
        (["--plan", "best-of", "--set", "--variations", 2], "--plan: .*; leave out one of --plan and --set"),
    ],
)
def test_recordings_are_planned_by_best_of_alone(tmp_path: Path, arguments: list, message: str) -> None:
    write(tmp_path / "rain.wav", synthetic(1.0))
    with pytest.raises(InputError, match=message):
        invoke(tmp_path / "rain.wav", "-o", tmp_path / "out.wav", *arguments)


def test_the_best_take_of_a_recording_is_that_of_its_seed(tmp_path: Path) -> None:
    write(tmp_path / "rain.wav", synthetic(3.0))
    out, same = tmp_path / "out.wav", tmp_path / "same.wav"
    done = invoke(tmp_path / "rain.wav", "-o", out, "--seconds", 0.6, "--plan", "best-of", "--takes", 2)
    plan = json.loads((tmp_path / "out.json").read_text())["plan"]
    assert "best of 2 takes" in done.stdout
    assert plan["distance"] == min(take["distance"] for take in plan["takes"])
    invoke(tmp_path / "rain.wav", "-o", same, "--seconds", 0.6, "--seed", plan["seed"])
    assert out.read_bytes() == same.read_bytes()
