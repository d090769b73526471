"""The report of an evaluation: self-contained, with the evaluation's values, playable in a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, write
from audiogen.metrics.evaluation import Evaluation
from audiogen.metrics.evaluation_inputs import EvaluationInputs
from audiogen.reports.evaluation_report import write_evaluation_report
from audiogen.reports.texture_chart import texture_chart
from tests.reports.browser import browser
from tests.reports.test_continuation_page import Page

Judged = tuple[EvaluationInputs, Evaluation]


@pytest.fixture(scope="module")
def written(judged: Judged, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_evaluation_report(path, Path("<b>out.wav"), Path("real.wav"), *judged, seed=3)
    return path


def test_the_page_is_self_contained_except_for_the_listening_test(written: Path) -> None:
    text = written.read_text("utf-8")
    page = Page(text)
    addresses = [value for _, each in page.found for key, value in each.items() if key in ("src", "href")]
    assert [address for address in addresses if not str(address).startswith("data:")] == ["blind.html"]
    assert len(page.all("audio")) == len(page.all("img")) == 4
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert "<b>out" not in text
    assert "<b>out.wav, evaluated" in page.text


def test_values_and_verdicts_are_those_of_the_evaluation(written: Path, judged: Judged) -> None:
    page, (_, found) = Page(written.read_text("utf-8")), judged
    for verdict in found.verdicts():
        assert verdict in page.text
    labels = [str(each["aria-label"]) for each in page.all("div") if each.get("role") == "img"]
    for name, value in found.output.classes.items():
        (label,) = (label for label in labels if label.startswith(f"{name}: "))
        assert label.startswith(f"{name}: {value:.2f}, loop {found.baselines[0].classes[name]:.2f}, noise ")
    assert all(0 <= float(left) <= 100 for left in re.findall(r"left: ([-0-9.]+)%", written.read_text("utf-8")))


def test_of_a_long_tail_the_whole_is_played_from_its_file(judged: Judged, tmp_path: Path) -> None:
    inputs, found = judged
    rate = inputs.tail.sample_rate
    longer = Recording(np.tile(inputs.tail.samples, 2), rate)  # than what is measured
    prompt = Recording(np.tile(inputs.source.samples, 2), rate)
    write(tmp_path / "out.wav", Recording(np.concatenate([prompt.samples, longer.samples], axis=1), rate))
    (tmp_path / "report").mkdir()
    path = tmp_path / "report" / "report.html"
    write_evaluation_report(path, tmp_path / "out.wav", Path("real.wav"), replace(inputs, tail=longer), found, seed=3)
    page = Page(path.read_text("utf-8"))
    (player,) = (each for each in page.all("audio") if each["id"] == "whole")
    assert player["src"] == "../out.wav"
    (plot,) = (each for each in page.all("div") if each.get("data-player") == "whole")
    assert float(str(plot["data-start"])) == pytest.approx(prompt.seconds - 10)
    assert float(str(plot["data-seconds"])) == pytest.approx(longer.seconds + 10)
    assert "The whole continuation" in page.text


def test_registered_metrics_are_lines_of_the_chart_on_their_own_scale(judged: Judged, tmp_path: Path) -> None:
    inputs, found = judged
    values = {each.name: float(index) for index, each in enumerate(found.candidates, start=-1)}  # the real one: 0
    output, real, *baselines = (replace(each, others={"x.y": values[each.name]}) for each in found.candidates)
    found = replace(found, output=output, real=real, baselines=baselines)
    write_evaluation_report(tmp_path / "a.html", Path("out.wav"), Path("real.wav"), inputs, found, seed=3)
    page = Page((tmp_path / "a.html").read_text("utf-8"))
    (label,) = (str(each["aria-label"]) for each in page.all("div") if str(each.get("aria-label")).startswith("x.y: "))
    assert label == "x.y: -1.00" + "".join(f", {each.name} {values[each.name]:.2f}" for each in baselines)
    (line,) = texture_chart(found)["others"]
    assert (line["left"], line["width"], line["real"]) == (0, line["real"], pytest.approx(100 / (len(values) - 1)))
    assert line["dots"][-1][1] == 100


def test_bad_measures_are_listed_first(judged: Judged, tmp_path: Path) -> None:
    sounds, found = judged
    write_evaluation_report(tmp_path / "a.html", Path("out.wav"), Path("real.wav"), sounds, found, seed=3)
    level = found.measures["level"] | {"difference_db": -7.25}
    worse = replace(found, measures=found.measures | {"level": level})
    write_evaluation_report(tmp_path / "b.html", Path("out.wav"), Path("real.wav"), sounds, worse, seed=3)
    pages = [Page((tmp_path / name).read_text("utf-8")).text for name in ("a.html", "b.html")]
    before, after = (text.partition("Texture: how far")[0] for text in pages)
    assert "level (-7.2 dB)" not in before
    assert re.search(r"Listen to .*\blevel \(-7\.2 dB\)", after)


def test_copied_passages_are_marked_at_their_position(written: Path) -> None:
    (mark,) = [each for each in Page(written.read_text("utf-8")).all("i") if each.get("class") == "copied"]
    start, stop, position = map(
        float, re.findall(r"(\d+\.\d\d) to (\d+\.\d\d) s, repeats (\d+\.\d\d)", str(mark["title"]))[0]
    )
    assert start == pytest.approx(1, abs=0.2)
    assert stop == pytest.approx(3, abs=0.2)
    assert position == pytest.approx(start + 1, abs=0.03)
    left, width = map(float, re.findall(r"([0-9.]+)%", str(mark["style"])))
    assert (left, width) == pytest.approx((start / 4 * 100, (stop - start) / 4 * 100), abs=0.3)


def test_a_very_short_sound_has_a_report(judged: Judged, tmp_path: Path) -> None:
    sounds, found = judged
    nothing = {"overall": None, "classes": {}, "copied": None, "looped": None, "scattering": None}
    candidates = {"output": replace(found.output, **nothing), "real": replace(found.real, **nothing)}
    short = replace(found, **candidates, baselines=[], marks={"copied": [], "looped": []})
    short.distances.update(frechet=None, kernel=None)
    sounds = replace(sounds, baselines={})
    write_evaluation_report(tmp_path / "r.html", Path("o.wav"), Path("r.wav"), sounds, short, 0)
    page = Page((tmp_path / "r.html").read_text("utf-8"))
    assert "no passage is copied" in page.text
    assert len(page.all("audio")) == 2


def test_a_click_on_a_picture_plays_from_there(written: Path, tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        page.open(written, tmp_path)
        page.until("[...document.querySelectorAll('audio')].every(each => each.readyState >= 1)")
        lengths = page.ask("[...document.querySelectorAll('audio')].map(each => each.duration)")
        assert lengths == pytest.approx([4, 4, 4, 4], abs=0.2)
        assert page.ask("document.documentElement.scrollWidth <= window.innerWidth")
        page.ask(
            "(() => { const box = document.querySelectorAll('.seek img')[1].getBoundingClientRect();"
            "document.querySelectorAll('.seek img')[1].dispatchEvent(new MouseEvent('click',"
            "{ bubbles: true, clientX: box.left + box.width / 2 })); })()"
        )
        page.until("document.getElementById('real').currentTime > 2")
        assert page.ask("document.getElementById('real').currentTime") < 4
