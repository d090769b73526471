"""The blind listening page: equal loudness, seeded orders, and both tests by keyboard in a browser."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import binom

from audiogen.audio import LoudnessMeter, Recording, read
from audiogen.metrics.evaluation import Evaluation
from audiogen.metrics.evaluation_inputs import EvaluationInputs
from audiogen.reports.blind_listening import ANCHOR_HERTZ, low_pass_anchor, make_stimuli, write_listening_test
from tests.reports.browser import Page, browser

Judged = tuple[EvaluationInputs, Evaluation]
ROLES = ["reference", "real", "anchor", "output", "loop", "noise"]


@pytest.fixture(scope="module")
def written(judged: Judged, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blind") / "blind.html"
    write_listening_test(path, 'a </script> "name".wav', judged[0], seed=5)
    return path


def test_stimuli_have_equal_loudness_and_do_not_clip(judged: Judged) -> None:
    levels = []
    for each in make_stimuli(judged[0]):
        samples = each.sound.samples * 10 ** (each.gain / 20)
        assert np.abs(samples).max() < 1
        meter = LoudnessMeter(each.sound.sample_rate, each.sound.channels)
        meter.push(samples)
        levels.append(meter.integrated())
    assert [each.role for each in make_stimuli(judged[0])] == ROLES
    assert levels == pytest.approx([levels[0]] * len(levels), abs=0.05)
    assert levels[0] <= -18 + 0.05


def test_the_rating_is_a_webmushra_experiment_with_the_same_stimuli(judged: Judged, written: Path) -> None:
    folder = written.parent / "webmushra"
    content = yaml.safe_load((folder / "audiogen.yaml").read_text("utf-8"))
    assert [page["type"] if isinstance(page, dict) else page[0] for page in content["pages"]] == [
        "generic",
        "random",
        "finish",
    ]
    trial = content["pages"][1][1]
    assert list(trial["stimuli"]) == ROLES[1:]
    for role, place in {**trial["stimuli"], "reference": trial["reference"]}.items():
        assert place == f"configs/webmushra/{role}.wav"
        stimulus = next(each for each in make_stimuli(judged[0]) if each.role == role)
        found = read(folder / f"{role}.wav").samples
        np.testing.assert_allclose(found, stimulus.sound.samples * 10 ** (stimulus.gain / 20), atol=4e-7)
    assert "webmushra/audiogen.yaml" in written.read_text("utf-8")


def test_the_anchor_is_low_passed() -> None:
    time_axis = np.arange(32000) / 32000
    tones = [
        np.sin(2 * np.pi * hertz * time_axis).astype("f4")[None] for hertz in (0.5 * ANCHOR_HERTZ, 2 * ANCHOR_HERTZ)
    ]
    low, high = (float(np.std(low_pass_anchor(Recording(tone, 32000)).samples[:, 4000:-4000])) for tone in tones)
    assert low == pytest.approx(np.sqrt(0.5), rel=0.02)
    assert high < 0.001
    narrow = Recording(tones[0], 7000)
    assert low_pass_anchor(narrow) is narrow


def ready(page: Page, written: Path, folder: Path) -> None:
    page.open(written, folder)
    page.until("!document.getElementById('begin-abx').disabled")


def downloaded(folder: Path, pattern: str) -> str:
    for _ in range(500):
        if found := [path for path in folder.glob(pattern) if path.stat().st_size]:
            return found[0].read_text("utf-8")
        time.sleep(0.02)
    raise AssertionError(f"{pattern} was not downloaded")


def test_abx_by_keyboard(written: Path, tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        ready(page, written, tmp_path)
        orders = page.ask("[abxTrials(5), abxTrials(5), abxTrials(6)].map(order => JSON.stringify(order))")
        assert orders[0] == orders[1] != orders[2]
        for right in (0, 7, 12):
            assert page.ask(f"pValue({right}, 12)") == pytest.approx(binom.sf(right - 1, 12, 0.5))
        truths = page.ask("abxTrials(5).map(trial => trial.truth)")
        assert sorted(truths) == ["A"] * 6 + ["B"] * 6
        page.press("a")
        for index, truth in enumerate(truths):
            page.press("x")
            assert page.ask("document.querySelector('.on').id") == "play-X"
            page.press("b")
            page.press({"A": "1", "B": "2"}[truth] if index else {"A": "2", "B": "1"}[truth])
        page.until("!document.getElementById('end').hidden")
        assert "11 of 12 right: you can distinguish them" in page.ask("document.getElementById('outcome').textContent")
        assert "Seed 5" in page.ask("document.getElementById('outcome').textContent")
        page.press("j")
        page.press("c")
        found = json.loads(downloaded(tmp_path, "abx-*.json"))
        rows = list(csv.DictReader(downloaded(tmp_path, "abx-*.csv").splitlines()))
    assert found["seed"] == 5
    assert found["complete"]
    assert found["name"] == rows[0]["name"] == 'a </script> "name".wav'
    assert found["summary"]["right"] == 11
    assert [row["truth"] for row in rows] == [trial["truth"] for trial in found["trials"]] == truths
    assert [row["right"] for row in rows] == ["false"] + ["true"] * 11
    for trial in found["trials"]:
        (role, start, length), (known, first, _) = trial["stretches"]["X"], trial["stretches"][trial["truth"]]
        assert role == known  # and X is another segment of it
        assert abs(start - first) >= length - 1e-6
        assert trial["plays"] == 2
    assert [each["role"] for each in found["stimuli"]] == ROLES
    assert "audio" not in found["stimuli"][0]


def test_rating_by_keyboard(written: Path, tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        ready(page, written, tmp_path)
        page.ask("document.getElementById('seed').value = 9")
        page.press("r")
        orders = page.ask("test.order.map(screen => screen.order)")
        assert [sorted(order) for order in orders] == [sorted(ROLES[1:])] * 2
        for order in orders:
            page.press("r")
            assert page.ask("document.querySelector('.on').id") == "play-reference"
            page.press("Enter")
            assert page.ask("document.getElementById('next').disabled")  # not all are rated yet
            for position, role in enumerate(order, 1):
                page.press(str(position))
                assert page.ask("document.querySelector('.on').id") == f"sound-{position}"
                page.press("PageUp" if role == "real" else "ArrowLeft" if role == "anchor" else "ArrowRight")
            page.press("Enter")
        page.until("!document.getElementById('end').hidden")
        results = page.ask("results")
    assert results["seed"] == 9
    assert {trial["role"]: trial["score"] for trial in results["trials"]} == {
        "real": 60, "anchor": 49, "output": 51, "loop": 51, "noise": 51,
    }  # fmt: skip
    assert results["summary"]["real"] == 60
    assert len(results["trials"]) == 10


def test_a_test_can_be_ended_early(written: Path, tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        ready(page, written, tmp_path)
        page.press("a")
        page.press("Escape")
        assert page.ask("!document.getElementById('start').hidden")
        page.press("a")
        page.press("1")
        page.press("Escape")
        assert page.ask("results.complete") is False
        assert page.ask("results.trials.length") == 1
