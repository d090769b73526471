"""The page of a continuation: self-contained, playable, escaped, with the right samples."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen.audio import Recording, read, write
from audiogen.errors import InputError
from audiogen.reports.continuation_page import write_continuation_page
from audiogen.reports.excerpts import read_excerpt
from audiogen.reports.figures import spectrogram, time_ticks
from audiogen.reports.panels import audio_uri
from audiogen.reports.scorecard import MEASURES, scorecard

RATE = 22050


def noise(seconds: float, channels: int = 2, rate: int = RATE, seed: int = 0) -> Recording:
    draws = np.random.default_rng(seed).standard_normal((channels, round(seconds * rate)))
    return Recording((0.1 * draws).astype("f4"), rate)


def sidecar(join_sample: int, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "output": "long.wav",
        "join_sample": join_sample,
        "seed": 7,
        "settings": {"seconds": 2.0, "temperature": 0.8, "run": "<i>a run</i>"},
        "versions": {"audiogen": "0"},
        "timings": {"generation": 1.25},
        "measures": {"join": {"flux_percentile": 99.6, "level_step_db": None}, "texture": {"overall": 1.234}},
        "warnings": ["a.wav: <script>alert(1)</script> & more"],
    }
    return found | more


class Page(HTMLParser):
    """Attributes and text of a page; unclosed or crossed elements are an error."""

    VOID = ("meta", "img", "br", "line", "path", "polyline")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def made(folder: Path, prompt: Recording, tail: Recording, joined: bool = True, **more: Any) -> tuple[str, Page]:
    parts = [prompt.samples, tail.samples] if joined else [tail.samples]
    write(folder / "long.wav", Recording(np.concatenate(parts, axis=1), prompt.sample_rate), exact=True)
    facts = sidecar(prompt.length if joined else 0, **more)
    write_continuation_page(folder / "page.html", prompt, folder / "long.wav", facts)
    text = (folder / "page.html").read_text("utf-8")
    return text, Page(text)


def decoded(uri: str | None, folder: Path) -> tuple[str, Recording]:
    kind, content = str(uri).removeprefix("data:").split(";base64,")
    file = folder / "sound"
    file.write_bytes(base64.b64decode(content, validate=True))
    return kind, read(file)


def test_the_page_is_self_contained(tmp_path: Path) -> None:
    text, page = made(tmp_path, noise(3), noise(2, seed=1))
    addresses = [value for _, attributes in page.found for key, value in attributes.items() if key in ("src", "href")]
    assert len(addresses) == 6
    assert all(str(address).startswith("data:") for address in addresses)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert not list(tmp_path.glob("*.part"))


def test_three_players_play_prompt_tail_and_both(tmp_path: Path) -> None:
    prompt, tail = noise(3.5), noise(2, seed=1)
    _, page = made(tmp_path, prompt, tail)
    players = {attributes["id"]: attributes for attributes in page.all("audio")}
    assert all(attributes["aria-label"] and "controls" in attributes for attributes in players.values())
    kind, joined = decoded(players["joined"]["src"], tmp_path)
    assert kind == "audio/mpeg"
    assert joined.seconds == pytest.approx(5.5, abs=0.1)
    kind, kept = decoded(players["tail"]["src"], tmp_path)
    assert kind == "audio/wav"
    np.testing.assert_allclose(kept.samples, tail.samples, atol=1.6 / 32768 * 2)
    assert decoded(players["prompt"]["src"], tmp_path)[1].seconds == pytest.approx(3.5, abs=0.1)


def test_a_tail_without_its_prompt_has_the_same_players(tmp_path: Path) -> None:
    prompt, tail = noise(1), noise(1.5, seed=1)
    _, page = made(tmp_path, prompt, tail, joined=False)
    joined = next(attributes for attributes in page.all("audio") if attributes["id"] == "joined")
    kept = decoded(joined["src"], tmp_path)[1]
    both = np.concatenate([prompt.samples, tail.samples], axis=1)
    np.testing.assert_allclose(kept.samples, both, atol=1.6 / 32768 * 2)


def test_measures_warnings_and_settings_are_escaped(tmp_path: Path) -> None:
    text, page = made(tmp_path, noise(1), noise(1))
    assert "<script>alert(1)</script>" not in text
    assert "<i>a run</i>" not in text
    assert "a.wav: <script>alert(1)</script> & more" in page.text
    for expected in ("Texture distance", "1.23", "100 of 100", "check by ear", "temperature", "0.8"):
        assert expected in page.text
    assert "Level step" not in page.text  # could not be measured
    assert page.all("html") == [{"lang": "en"}]
    assert all(attributes.get("alt") for attributes in page.all("img"))
    assert all(attributes.get("aria-label") for attributes in page.all("svg"))


def test_a_page_without_warnings_and_measures(tmp_path: Path) -> None:
    _, page = made(tmp_path, noise(1), noise(1), warnings=[], measures={})
    assert "Warnings" not in page.text
    assert "No measures available" in page.text


@pytest.mark.parametrize(
    ("channels", "rate", "seconds"), [(1, 8000, 0.001), (1, 1000, 4.0), (3, 44100, 0.5), (1, 96000, 3.2)]
)
def test_unusual_formats(tmp_path: Path, channels: int, rate: int, seconds: float) -> None:
    prompt = noise(seconds, channels, rate)
    _, page = made(tmp_path, prompt, prompt)
    players = page.all("audio")
    assert len(players) == 3
    for player in players:
        assert decoded(player["src"], tmp_path)[1].sample_rate in (8000, 44100, 48000)


def test_silence_and_samples_beyond_full_scale(tmp_path: Path) -> None:
    silent = Recording(np.zeros((1, 4000), "f4"), 8000)
    loud = Recording(np.full((1, 4000), -3.0, "f4"), 8000)
    _, page = made(tmp_path, silent, loud)
    kept = decoded(page.all("audio")[0]["src"], tmp_path)[1]
    assert np.abs(kept.samples[:, :4000]).max() < 1e-3
    np.testing.assert_allclose(kept.samples[:, 4000:], -0.98, atol=1e-3)


def test_long_recordings_are_cut_to_an_excerpt_around_the_join(tmp_path: Path) -> None:
    prompt = Recording(np.linspace(0, 0.5, 40 * 1000, dtype="f4")[None], 1000)
    tail = Recording(np.linspace(-0.5, 0, 50 * 1000, dtype="f4")[None], 1000)
    joined = np.concatenate([prompt.samples, tail.samples], axis=1)
    write(tmp_path / "long.wav", Recording(joined, 1000), "FLOAT")
    excerpt = read_excerpt(prompt, tmp_path / "long.wav", prompt.length, before=30.0, after=45.0)
    np.testing.assert_array_equal(excerpt.prompt.samples, prompt.samples[:, 10_000:])
    np.testing.assert_array_equal(excerpt.tail.samples, tail.samples[:, :45_000])
    assert excerpt.tail_length == 50_000
    write_continuation_page(tmp_path / "page.html", prompt, tmp_path / "long.wav", sidecar(prompt.length))
    assert "the last 30 s of the prompt and the first 45 s of the continuation" in (tmp_path / "page.html").read_text()


def test_a_file_that_does_not_continue_the_prompt_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "other.wav", noise(1, channels=1))
    with pytest.raises(InputError, match="differ from the prompt's"):
        read_excerpt(noise(1), tmp_path / "other.wav", 0, before=30.0, after=45.0)
    write(tmp_path / "other.wav", noise(1))
    with pytest.raises(InputError, match="nothing follows"):
        read_excerpt(noise(1), tmp_path / "other.wav", RATE, before=30.0, after=45.0)


def test_a_tone_is_at_its_tick() -> None:
    time = np.arange(2 * 44100) / 44100
    shown = spectrogram(Recording(np.sin(2 * np.pi * 2000 * time).astype("f4")[None], 44100))
    position = (shown.levels.mean(axis=1).argmax() + 0.5) / len(shown.levels)
    ticks = {label: position for position, label in shown.ticks()}
    assert position == pytest.approx(ticks["2k"], abs=1.5 / 128)
    assert np.median(shown.levels.max(axis=0)) == pytest.approx(0, abs=1)


def test_parts_of_a_spectrogram_keep_the_colour_scale() -> None:
    samples = noise(4, 1).samples
    samples[:, : 2 * RATE] *= 0.01
    shown = spectrogram(Recording(samples, RATE))
    quiet, loud = shown.between(0.2, 1.8), shown.between(2.2, 3.8)
    assert np.median(loud.levels) - np.median(quiet.levels) == pytest.approx(40, abs=1)
    assert quiet.png().startswith(b"\x89PNG")


def test_time_ticks_are_round_and_few() -> None:
    assert time_ticks(45, 10)[:3] == [(0.0, "0 s"), (5 / 45, "5"), (10 / 45, "10")]
    assert time_ticks(20, 6, zero=7.5) == [(0.125, "−5"), (0.375, "0 s"), (0.625, "5"), (0.875, "10")]
    assert all(len(time_ticks(seconds)) <= 11 for seconds in (0.05, 0.7, 13.0, 4000.0))


def test_a_value_is_good_within_its_range_only() -> None:
    lines = scorecard({"level": {"difference_db": -2.5}, "texture": {"overall": 1.0}, "stereo": None})
    assert [(line.label, line.value, line.good) for line in lines] == [
        ("Level", "-2.5 dB", False),
        ("Texture distance", "1.00", True),
    ]
    assert all(measure.sentence.endswith(".") for measure in MEASURES)


def test_all_players_have_the_same_gain(tmp_path: Path) -> None:
    _, kept = decoded(audio_uri(noise(0.5), gain=0.5), tmp_path)
    np.testing.assert_allclose(kept.samples, 0.5 * noise(0.5).samples, atol=1.6 / 32768 * 2)
