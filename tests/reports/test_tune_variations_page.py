"""The page of a tune's variations: excerpts around the join as sound and piano rolls."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen.jobs.tune_results import measure_tail
from audiogen.reports.tune_variations_page import measure_lines, tune_excerpt, write_tune_variations_page
from audiogen.tunes.tune import Tune
from audiogen.tunes.tune_continuation import ContinuedTune
from tests.reports.test_continuation_page import Page, decoded
from tests.tune_fixtures import melody, wandering


def continued(tune: Tune, join: int, seed: int = 0) -> ContinuedTune:
    prompt, tail = tune.between(0, join), tune.between(join, tune.end)
    added = {"notes": len(tail.notes), "seconds": 2.5}
    settings = {"bars": None, "seconds": 8.0, "temperature": 1.0}
    facts: dict[str, Any] = {"seed": seed, "added": added, "settings": settings, "warnings": ["<i>few</i> notes"]}
    return ContinuedTune(tune, join, facts | {"measures": measure_tail(prompt, tail)})


def test_excerpt_around_the_join(tmp_path: Path) -> None:
    tune = melody([60, 62, 64, 65, 67, 69, 71, 72])
    first, second = (int(tune.notes["start"][index]) for index in (4, 5))
    made = continued(tune, first)
    whole, join = tune_excerpt(made, 1e3, 1e3)
    assert join == first
    assert np.array_equal(whole.notes, tune.notes)
    before = float(tune.seconds_at(first)) - float(tune.seconds_at(second - first)) / 2  # half a note too few
    piece, join = tune_excerpt(made, before, float(tune.seconds_at(second)) - float(tune.seconds_at(first)))
    assert piece.notes["pitch"].tolist() == [60, 62, 64, 65, 67]
    assert piece.notes["start"][0] == 0
    assert piece.notes["start"][4] == join
    held = replace(tune, notes=tune.notes[:1].copy())  # it began long before the excerpt
    held.notes["end"] = tune.end
    piece, join = tune_excerpt(continued(held, tune.end), 0.1, 1)
    assert piece.notes["pitch"].tolist() == [60]
    assert piece.notes["end"][0] == join


def test_players_and_rolls_of_two_tails_of_different_length(tmp_path: Path) -> None:
    prompt = wandering(1, 30, parts=2)
    longer = wandering(1, 60, parts=2)
    shorter = longer.between(0, prompt.end + (longer.end - prompt.end) // 2)
    outs = [tmp_path / "a-1.mid", tmp_path / "a-2.mid"]
    made = [continued(tune, prompt.end, seed) for seed, tune in enumerate((longer, shorter))]
    write_tune_variations_page(tmp_path / "a.html", Path("<tune>.mid"), outs, made)
    text = (tmp_path / "a.html").read_text("utf-8")
    page = Page(text)
    assert "<tune>.mid, continued in 2 ways" in page.text
    assert page.text.count("<i>few</i> notes") == 1
    assert [each["href"] for each in page.all("a")] == ["a-1.mid", "a-2.mid"]
    lengths = [decoded(each["src"], tmp_path)[1].seconds for each in page.all("audio")]
    assert lengths[1] == pytest.approx(lengths[2], abs=0.05)
    assert lengths[0] < lengths[1]
    assert len([each for each in page.all("img") if each.get("class") == "roll"]) == 2
    joins = [float(str(each["data-join"])) for each in page.all("section") if "data-join" in each]
    assert joins == pytest.approx([min(prompt.seconds, 10)] * 2, abs=1e-3)
    assert "Listen to" not in page.text  # note measures have no good range
    assert "All measures are good" not in page.text
    assert "Polyphony" in page.text
    assert [json.loads((tmp_path / f"a-{k}.json").read_text())["page"] for k in (1, 2)] == ["a.html", "a.html"]


def test_a_page_without_measures() -> None:
    assert measure_lines({}) == []
