"""The page of variations: self-contained, with the files' samples, playable by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen.audio import Recording, write
from audiogen.metrics.spectra import mel_power
from audiogen.output_names import MAX_ON_PAGE
from audiogen.reports.excerpts import read_loop_seam
from audiogen.reports.figures import spectrograms
from audiogen.reports.file_parts import FilePart, column_powers, playable_part
from audiogen.reports.variations_page import (
    AFTER_SECONDS,
    BEFORE_SECONDS,
    MAX_TOTAL_SECONDS,
    excerpt_lengths,
    write_variations_page,
)
from tests.reports.browser import browser
from tests.reports.test_continuation_page import RATE, Page, decoded, noise, sidecar

PROMPT = noise(2)
MEASURES: dict[str, Any] = {
    "join": {"flux_percentile": 12.0},
    "texture": {"overall": 0.91},
    "copying": {"fraction": 0.0},
}


def written(folder: Path, tails: Sequence[Recording], names: Sequence[str], **settings: Any) -> Path:
    """A page of ``count`` continuations of `PROMPT`, the second of which copies."""
    outs, sidecars = [folder / name for name in names], []
    for number, (out, tail) in enumerate(zip(outs, tails, strict=True)):
        alone = settings.get("tail_only", False)
        parts = [tail.samples] if alone else [PROMPT.samples, tail.samples]
        write(out, Recording(np.concatenate(parts, axis=1), RATE), exact=True)
        facts = sidecar(0 if alone else PROMPT.length, output=out.name, seed=7 + number)
        facts["settings"] |= {"loop": False, "tail_only": False, **settings}
        facts["measures"] = MEASURES | {"copying": {"fraction": 0.4 * (number == 1)}}
        if alone:
            facts["measures"] |= {"join": None}  # as in the sidecar of a loop alone
        sidecars.append(facts)
    write_variations_page(folder / "page.html", PROMPT, outs, sidecars)
    return folder / "page.html"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tails = [noise(3, seed=seed) for seed in (1, 2, 3)]
    return written(tmp_path_factory.mktemp("three"), tails, ["a-1.wav", "<b>2.wav", "a 3.wav"])


def test_the_page_is_self_contained(three: Path) -> None:
    text = three.read_text("utf-8")
    page = Page(text)
    addresses = [value for _, each in page.found for key, value in each.items() if key in ("src", "href")]
    assert [a for a in addresses if not str(a).startswith("data:")] == ["a-1.wav", "%3Cb%3E2.wav", "a%203.wav"]
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert "<b>2" not in text
    assert page.text.count("a.wav: <script>alert(1)</script> & more") == 1  # all three have this warning
    assert not list(three.parent.glob("*.part"))


def test_the_prompt_comes_first_then_each_variation_around_its_join(three: Path) -> None:
    page = Page(three.read_text("utf-8"))
    assert [each["id"] for each in page.all("audio")] == ["prompt", "variation-1", "variation-2", "variation-3"]
    _, shown = decoded(page.all("audio")[0]["src"], three.parent)
    np.testing.assert_allclose(shown.samples, PROMPT.samples, atol=1.6 / 32768 * 2)
    for player in page.all("audio")[1:]:
        assert decoded(player["src"], three.parent)[1].seconds == pytest.approx(5, abs=0.1)
    joins = [float(str(each["data-join"])) for each in page.all("section") if "data-join" in each]
    assert joins == [2.0, 2.0, 2.0]
    marks = [str(each["style"]) for each in page.all("div") if each.get("class") == "join"]
    assert marks == ["left: 40.000%"] * 3


def test_measures_are_side_by_side_and_bad_ones_are_listed(three: Path) -> None:
    text = re.sub(r"\s+", " ", Page(three.read_text("utf-8")).text)
    assert "a.wav, continued" not in text
    assert "continued in 3 ways" in text
    assert "Copied from the prompt 0 %40 %0 %" in re.sub(r" (?=\d+ %)", "", text).replace("prompt0", "prompt 0")
    assert text.count("Listen to copied from the prompt (40 %)") == 1
    assert text.count("All measures are good") == 2
    for seed in (7, 8, 9):
        assert f"seed {seed}, texture distance 0.91" in text


def test_sidecars_contain_the_name_of_the_page(three: Path) -> None:
    for name in ("a-1", "<b>2", "a 3"):
        found = json.loads((three.parent / f"{name}.json").read_text())
        assert (found["page"], found["output"]) == ("page.html", f"{name}.wav")


def test_one_variation_and_no_measures(tmp_path: Path) -> None:
    silent = Recording(np.zeros((2, RATE), "f4"), RATE)
    page = Page(written(tmp_path, [silent], ["out.wav"], temperature=2.0).read_text("utf-8"))
    assert len(page.all("audio")) == 2
    assert "ways" not in page.text
    assert "reject" not in page.text


def test_a_loop_without_prompt_is_shown_once_around_and_its_seam_embedded(tmp_path: Path) -> None:
    ramp = Recording(np.linspace(0, 0.9, 30 * RATE, dtype="f4")[None].repeat(2, 0), RATE)
    path = written(tmp_path, [ramp], ["bed.wav"], loop=True, tail_only=True)
    around = read_loop_seam(tmp_path / "bed.wav", 4.0, 6.0)
    assert (around.join, around.joined.length, around.tail_length) == (4 * RATE, 10 * RATE, 30 * RATE)
    np.testing.assert_allclose(around.prompt.samples, ramp.samples[:, -4 * RATE :], atol=1e-6)
    np.testing.assert_allclose(around.tail.samples, ramp.samples[:, : 6 * RATE], atol=1e-6)
    once = read_loop_seam(tmp_path / "bed.wav", 40.0, 45.0)
    np.testing.assert_allclose(once.joined.samples, np.roll(ramp.samples, 15 * RATE, axis=1), atol=1e-6)
    page = Page(path.read_text("utf-8"))
    assert decoded(page.all("audio")[1]["src"], tmp_path)[1].seconds == pytest.approx(30, abs=0.1)
    (seam,) = [each["data-seam"] for each in page.all("section") if "data-seam" in each]
    kind, embedded = decoded(seam, tmp_path)
    assert kind == "audio/wav"
    at_seam = np.concatenate([ramp.samples[:, -3 * RATE // 2 :], ramp.samples[:, : 3 * RATE // 2]], axis=1)
    np.testing.assert_allclose(embedded.samples, at_seam, atol=2 / 32768)
    assert "the seam, without a gap" in page.text
    assert "at the join" not in page.text  # it does not follow the prompt


def test_a_long_loop_is_played_from_its_file_and_its_seam_from_a_buffer(tmp_path: Path) -> None:
    path = written(tmp_path, [noise(70)], ["bed.wav"], loop=True, tail_only=True)
    assert Page(path.read_text("utf-8")).all("audio")[1]["src"] == "bed.wav"
    with browser(tmp_path) as page:
        page.open(path, tmp_path)
        page.press("j")
        page.until("seam && seam.buffer.duration > 2.9 && context.currentTime > 0.2")
        assert page.ask("variations.every(each => soundOf(each).paused)")
        page.press(" ")  # stops it, and starts nothing
        assert page.ask("seam === null && variations.every(each => soundOf(each).paused)")
        page.ask("void (playSeam(0), playSeam(0))")
        page.until("seam")
        page.until("seam === null")  # at its end; the first one never began
        page.until("soundOf(variations[0]).readyState >= 1")
        assert page.ask("soundOf(variations[0]).duration") == pytest.approx(70, abs=0.1)
        page.press("1")
        page.until("!soundOf(variations[0]).paused")
        assert not page.pipe.errors


def test_many_variations_have_shorter_excerpts() -> None:
    assert excerpt_lengths(1) == excerpt_lengths(6) == (BEFORE_SECONDS, AFTER_SECONDS)
    for count in range(1, MAX_ON_PAGE + 1):
        before, after = excerpt_lengths(count)
        assert count * (before + after) <= MAX_TOTAL_SECONDS + 1e-6
        assert before >= 5
        assert after >= 10


def test_keys_play_each_variation_from_the_same_moment(three: Path, tmp_path: Path) -> None:
    def playing() -> list[int]:
        return page.ask("variations.map(soundOf).flatMap((audio, k) => audio.paused ? [] : [k + 1])")

    def times() -> list[float]:
        return page.ask("variations.map(section => soundOf(section).currentTime)")

    with browser(tmp_path) as page:
        page.open(three, tmp_path)
        page.until("[...document.querySelectorAll('audio')].every(each => each.readyState >= 1)")
        assert page.ask("document.documentElement.scrollWidth <= window.innerWidth")
        page.press("2")
        assert playing() == [2]
        page.until("document.querySelector('.playing')")
        page.press(" ")
        page.until("!document.querySelector('.playing')")
        assert playing() == []
        # A click on the first picture sets the moment for all.
        page.ask(
            "(() => { const box = variations[0].querySelector('.seek').getBoundingClientRect();"
            "variations[0].querySelector('img').dispatchEvent(new MouseEvent('click',"
            "{ bubbles: true, clientX: box.left + 0.6 * box.width })); })()"
        )
        assert page.ask("document.getElementById('moment').textContent") == "1.0 s after the join"
        for key, number in (("3", 3), ("ArrowRight", 1), ("ArrowLeft", 3)):
            page.press(key)
            assert playing() == [number]
            assert times()[number - 1] == pytest.approx(3, abs=0.5)
        page.press("x")
        page.press("ArrowLeft")
        page.press("ArrowRight")  # past the third, which is rejected
        assert playing() == [1]
        page.press("0")
        assert playing() == []
        assert page.ask("given.paused") is False
        page.press("j")
        assert page.ask("document.getElementById('moment').textContent") == "2.0 s before the join"
        assert times()[0] == pytest.approx(0, abs=0.5)
        page.press("9")  # there is no ninth
        assert playing() == [1]


def test_what_was_kept_comes_first_also_after_a_reload(three: Path, tmp_path: Path) -> None:
    def shown() -> list[list[str]]:
        return page.ask(
            "[...document.querySelectorAll('[data-join]')].map(each => [each.dataset.file,"
            " ['kept', 'rejected'].find(name => each.classList.contains(name)) ?? ''])"
        )

    first, second, third = "a-1.wav", "%3Cb%3E2.wav", "a%203.wav"
    with browser(tmp_path) as page:
        page.open(three, tmp_path)
        for key in ("1", "x", "3", "k"):
            page.press(key)
        expected = [[third, "kept"], [second, ""], [first, "rejected"]]
        assert shown() == expected
        page.open(three, tmp_path)
        assert shown() == expected
        assert page.ask("document.querySelector('.kept .keep').ariaPressed") == "true"
        page.press("3")  # numbers stay those of the files
        page.press("k")
        assert shown() == [[second, ""], [third, ""], [first, "rejected"]]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a tail of 60 s, loud in its last second only."""
    tail = 0.01 * noise(60).samples
    tail[:, -RATE:] *= 50
    return written(tmp_path_factory.mktemp("long"), [Recording(tail, RATE)], ["a b.wav"])


def test_a_long_tail_is_played_from_its_file_and_shown_to_its_end(long: Path, tmp_path: Path) -> None:
    page = Page(long.read_text("utf-8"))
    assert [str(each["src"])[:5] for each in page.all("audio")] == ["data:", "a%20b.wav"[:5]]
    assert page.all("audio")[1]["src"] == "a%20b.wav"
    assert long.stat().st_size < 1.2e6
    assert "keep them together" in page.text
    (plot,) = (each for each in page.all("div") if each.get("data-player") == "variation-1")
    assert float(str(plot["data-seconds"])) == pytest.approx(PROMPT.seconds + 60)
    part = playable_part(long.parent / "a b.wav", PROMPT.length, BEFORE_SECONDS)
    assert part is not None
    _, shown = spectrograms([PROMPT, part], contrast_of=0)
    loudness = shown.levels.mean(axis=0)
    position = np.searchsorted(np.arange(len(loudness)) / len(loudness) * shown.seconds, shown.seconds - 1)
    assert loudness[position + 2 :].min() > loudness[40 : position - 2].max() + 25
    with browser(tmp_path) as opened:
        opened.open(long, tmp_path)
        opened.until("document.getElementById('variation-1').readyState >= 1")
        assert opened.ask("document.getElementById('variation-1').duration") == pytest.approx(62, abs=0.1)
        opened.ask(
            "(() => { const box = variations[0].querySelector('.seek').getBoundingClientRect();"
            "variations[0].querySelector('img').dispatchEvent(new MouseEvent('click',"
            "{ bubbles: true, clientX: box.left + 57 / 62 * box.width })); })()"
        )
        assert opened.ask("document.getElementById('variation-1').currentTime") == pytest.approx(57, abs=0.5)


def test_a_picture_of_a_file_is_that_of_its_samples(tmp_path: Path) -> None:
    sound = noise(47, 1)
    write(tmp_path / "a.wav", sound, "FLOAT")
    part = FilePart(tmp_path / "a.wav", RATE, 30 * RATE, 3 * RATE, sound.length)
    whole = mel_power(sound.cut(3 * RATE, sound.length), 1024, 64, RATE / 2)
    np.testing.assert_allclose(column_powers(part, 1024, 64, RATE / 2, len(whole)), whole, rtol=1e-4, atol=1e-9)
    edges = np.linspace(0, len(whole), 8).astype(int)
    expected = [whole[first:last].mean(axis=0) for first, last in pairwise(edges)]
    np.testing.assert_allclose(column_powers(part, 1024, 64, RATE / 2, 7), expected, rtol=1e-4)


def test_what_no_browser_plays_is_embedded(tmp_path: Path) -> None:
    for name, sound, subtype in (("a.wav", noise(1, 3), None), ("b.wav", noise(1), "DOUBLE")):
        write(tmp_path / name, sound, subtype)
        assert playable_part(tmp_path / name, 0, 1.0) is None
    write(tmp_path / "c.wav", noise(1))
    (tmp_path / "c.wav").rename(tmp_path / "c.aiff")
    assert playable_part(tmp_path / "c.aiff", 0, 1.0) is None
    odd = FilePart(tmp_path / "a:b#c.wav", RATE, 0, 0, 1)
    assert odd.address(tmp_path / "page.html") == "a%3Ab%23c.wav"
    assert odd.address(tmp_path / "report" / "page.html") == "../a%3Ab%23c.wav"


def test_colours_reach_from_the_quiet_to_the_loud_of_a_dense_texture() -> None:
    pictures = spectrograms([noise(2), noise(2, seed=1)], contrast_of=0)
    assert pictures[0].span == pictures[1].span < 40
    darkest = np.mean(pictures[0].levels < -pictures[0].span)
    assert darkest == pytest.approx(0.05, abs=0.01) or pictures[0].span == 20
    assert spectrograms([noise(2)])[0].span == 70
    # The scale is the prompt's: a quieter tail is darker, and one that is far louder still shows its own differences.
    quieter, louder = (Recording(factor * noise(2, seed=1).samples, RATE) for factor in (0.1, 100))
    prompt, tail = spectrograms([noise(2), quieter], contrast_of=0)
    assert np.median(tail.levels) == pytest.approx(np.median(prompt.levels) - 20, abs=1)
    assert (prompt.span, np.quantile(prompt.levels, 0.999)) == (pictures[0].span, pytest.approx(0, abs=0.1))
    assert np.quantile(spectrograms([noise(2), louder], contrast_of=0)[1].levels, 0.999) < 13
