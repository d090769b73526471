"""Impossible requests are refused before any training; tails have the requested length."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, read
from audiogen.errors import InputError
from audiogen.jobs import continue_sound, continuer_choice
from audiogen.jobs.continue_sound import Request, continue_recording, continue_variations
from audiogen.jobs.continuer_choice import MorphTarget, prepare_target
from audiogen.jobs.provenance import Clock
from audiogen.jobs.tune_request import TuneRequest
from audiogen.run import Run
from tests.sound.test_event_density import RATE as CALLS_RATE
from tests.sound.test_event_density import at_random

Texture = Callable[..., Recording]
Untrained = Callable[..., Run]


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*ignored: object) -> Run:
        pytest.fail("a training was begun")

    monkeypatch.setattr(continuer_choice, "choose_run", refuse)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("name", "seconds", "message"),
    [
        ("out.opus", 1.0, "it cannot have 1 channels at 22050 Hz"),
        ("none/out.wav", 1.0, "does not exist"),
        ("out.wav", 1e-6, "less than a sample"),
    ],
)
def test_impossible_outputs_are_refused_before_the_training(
    texture: Texture, tmp_path: Path, name: str, seconds: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        continue_recording(texture(2.0, rate=22050), tmp_path / name, Request(seconds=seconds))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [0, 1, 9000])
def test_a_prompt_below_half_a_second_is_refused_with_any_run(
    texture: Texture, untrained: Untrained, tmp_path: Path, length: int
) -> None:
    run, prompt = untrained(texture(2.0)), texture(1.0).cut(22000, 22000 + length)
    with pytest.raises(InputError, match="too short"):
        continue_recording(prompt, tmp_path / "out.wav", Request(seconds=1.0), run)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sample", [1e12, -1e12])
def test_absurd_samples_are_refused(texture: Texture, untrained: Untrained, tmp_path: Path, sample: float) -> None:
    run, samples = untrained(texture(2.0)), texture(1.0).samples.copy()
    samples[0, 77] = sample
    with pytest.raises(InputError, match="times full scale"):
        continue_recording(Recording(samples, 44100), tmp_path / "out.wav", Request(seconds=1.0), run)
    assert list(tmp_path.iterdir()) == []


def test_one_sample_of_silence_is_continued(texture: Texture, untrained: Untrained, tmp_path: Path) -> None:
    silence = Recording(np.zeros((1, 1), np.float32), 44100)
    continue_recording(silence, tmp_path / "out.wav", Request(seconds=0.1), untrained(texture(2.0)))
    assert read(tmp_path / "out.wav").length == 4411


@pytest.mark.parametrize("options", [{}, {"loop": True}, {"loop": True, "tail_only": True}])
@pytest.mark.parametrize("length", [1, 2, 300])
def test_a_tail_of_a_few_samples(
    texture: Texture, untrained: Untrained, tmp_path: Path, length: int, options: dict[str, Any]
) -> None:
    prompt = Recording(0.2 * texture(1.0).samples, 44100)
    request = Request(seconds=length / 44100, **options)
    sidecar = continue_recording(prompt, tmp_path / "out.wav", request, untrained(prompt))
    assert read(tmp_path / "out.wav").length == sidecar["length"]
    assert sidecar["length"] - sidecar["join_sample"] == length
    if options.get("tail_only"):
        assert sidecar["measures"]["join"] is None
    else:
        assert sidecar["measures"]["join"]["flux_percentile"] is not None


@pytest.mark.parametrize("request_of", [Request, TuneRequest])
def test_seeds_out_of_range_are_refused(request_of: type[Request] | type[TuneRequest]) -> None:
    for seed in (-1, 2**63):
        with pytest.raises(InputError, match="seed"):
            request_of(seed=seed)
    assert request_of(seed=2**63 - 1).seed == 2**63 - 1


def test_each_tail_has_timings_of_its_own(
    texture: Texture, untrained: Untrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(*given: Any) -> dict[str, Any]:
        clock: Clock = given[4]
        clock.seconds["generation"] = clock.seconds.get("generation", 0.0) + 5.0
        return {"timings": clock.seconds, "settings": {}}

    monkeypatch.setattr(continue_sound, "write_tail", written)
    wanted = [(tmp_path / f"{seed}.wav", Request(seconds=1.0, seed=seed)) for seed in range(2)]
    first, second = continue_variations(texture(1.0), wanted, untrained(texture(2.0)))
    assert first["timings"]["generation"] == pytest.approx(second["timings"]["generation"], abs=0.5)
    assert first["timings"]["warming"] == second["timings"]["warming"] > 0


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")
@pytest.mark.parametrize(("seconds", "matched"), [(6.0, True), (3.0, False)], ids=str)
def test_the_sidecar_says_what_took_place(texture: Texture, tmp_path: Path, seconds: float, matched: bool) -> None:
    """Neither texture matching that was switched off, nor a training that was skipped."""
    request = Request(seconds=0.5)
    sidecar = continue_recording(texture(seconds), tmp_path / "out.wav", request, budget=0)
    assert sidecar["match_texture"] is matched
    assert sidecar["settings"]["match_texture"]  # as requested, so that the settings repeat the tail
    assert sidecar["timings"].keys() == {"opening", "warming", "generation", "measuring"}


def fading() -> Recording:
    """Noise of 4 s that fades out in the last second."""
    samples = 0.1 * np.random.default_rng(0).standard_normal((1, 4 * 22050))
    samples[:, -22050:] *= np.linspace(1, 0, 22050)
    return Recording(samples, 22050)


@pytest.mark.parametrize("options", [{}, {"keep_edges": True}, {"loop": True}, {"tail_only": True}])
def test_a_fading_prompt_is_bit_exact_up_to_the_join(
    untrained: Untrained, tmp_path: Path, options: dict[str, Any]
) -> None:
    prompt, out = fading(), tmp_path / "out.wav"
    with pytest.warns(AudioWarning, match="fades out over"):
        sidecar = continue_recording(prompt, out, Request(seconds=2.0, subtype="FLOAT", **options), untrained(prompt))
    join, (start, stop) = sidecar["join_sample"], sidecar["prompt_range"]
    assert join == (0 if "tail_only" in options else stop - start)
    assert (stop == prompt.length) == ("keep_edges" in options)
    assert stop == prompt.length or stop / 22050 == pytest.approx(2.95, abs=0.15)
    assert np.array_equal(read(out).samples[:, :join], prompt.samples[:, start : start + join])
    assert read(out).length == join + 2 * 22050 == sidecar["length"]
    assert sidecar["edges"]["end"]["fade"] == pytest.approx(1, abs=0.15)
    assert sidecar["edges"]["start"]["seconds"] == 0
    assert any("fades out over" in text for text in sidecar["warnings"])
    assert (sidecar["measures"]["join"] is None) == ("keep_edges" in options)
    assert abs(sidecar["measures"]["level"]["difference_db"]) < 1


def test_requests_of_one_prompt_may_divide_it_differently(untrained: Untrained, tmp_path: Path) -> None:
    prompt = fading()
    requests = [Request(seconds=0.5, keep_edges=keep) for keep in (False, True, False)]
    outs = [tmp_path / f"{index}.wav" for index in range(3)]
    with pytest.warns(AudioWarning):
        made = list(continue_variations(prompt, list(zip(outs, requests, strict=True)), untrained(prompt)))
    assert [sidecar["join_sample"] == prompt.length for sidecar in made] == [False, True, False]


def test_an_ambience_is_written_without_the_prompt(untrained: Untrained, tmp_path: Path) -> None:
    time = np.arange(6 * 22050) / 22050
    room = 0.003 * np.random.default_rng(0).standard_normal(len(time))
    prompt = Recording(room + np.where(time % 2 < 0.8, 0.2 * np.sin(2 * np.pi * 300 * time), 0), 22050)
    out = tmp_path / "room.wav"
    with pytest.warns(AudioWarning, match="ambience without events"):
        sidecar = continue_recording(prompt, out, Request(seconds=2.0, ambience=True), untrained(prompt))
    assert (sidecar["join_sample"], sidecar["prompt_range"]) == (0, [0, 0])
    assert 0.2 < sidecar["ambience"]["fraction"] < 0.7
    tail = read(out).samples
    assert tail.shape[1] == 2 * 22050
    assert 20 * np.log10(tail.std() / 0.003) == pytest.approx(0, abs=1)


@pytest.mark.filterwarnings("ignore:.*fades out")
def test_the_target_of_a_morph_has_no_edges_either() -> None:
    target = prepare_target(MorphTarget(fading()), Request())
    assert target is not None
    assert target.recording.seconds == pytest.approx(2.95, abs=0.15)


def test_an_ambience_has_no_edges_to_keep() -> None:
    with pytest.raises(InputError, match="keep_edges"):
        Request(keep_edges=True, ambience=True)


def test_the_density_of_a_morph_is_that_of_either_recording(untrained: Untrained, tmp_path: Path) -> None:
    prompt, target = (Recording(at_random(rate, 8, seed), CALLS_RATE) for seed, rate in enumerate((3, 12)))
    request = Request(seconds=8.0, density=10.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        sidecar = continue_recording(
            prompt, tmp_path / "out.wav", request, untrained(prompt), morph_target=MorphTarget(target)
        )
    assert list(sidecar["density"]) == ["prompt", "target"]
    assert all(side["asked"] == 10 for side in sidecar["density"].values())
    assert any("of the events of its target, --density 10 (on average" in text for text in sidecar["warnings"])
