"""Sets of takes in files: equally loud, described, and nothing of the temporary files shows."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, read, read_metadata
from audiogen.dsp.limiter import peak_of
from audiogen.jobs import tail_check
from audiogen.jobs.continue_set import continue_set
from audiogen.jobs.continue_sound import continue_recording
from audiogen.jobs.loudness_target import loudness_of
from audiogen.jobs.request import Request
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.output_names import numbered
from audiogen.run import Run
from tests.audio.metadata.wave_files import RATE, everything, write_wav
from tests.rhythm.signals import strokes

Texture = Callable[..., Recording]


@pytest.fixture
def peaky(texture: Texture) -> Recording:
    """So loud that the true peaks of its takes keep each of them at another loudness."""
    samples = texture(4.0).samples
    return Recording(samples / np.abs(samples).max(), 44100)


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # of an untrained Model's tail
def test_takes_are_equally_loud_even_where_peaks_keep_them_low(
    peaky: Recording, untrained: Callable[..., Run], tmp_path: Path
) -> None:
    outs = numbered(tmp_path / "take.wav", 3)
    wanted = [(out, Request(seconds=1.5, seed=seed)) for seed, out in enumerate(outs)]
    sidecars = list(continue_set(peaky, wanted, untrained(peaky)))
    loudness = [loudness_of(read(out)) for out in outs]
    own = loudness_of(peaky)
    assert own is not None
    assert all(each is not None and each < own for each in loudness)
    assert loudness == pytest.approx([loudness[0]] * 3, abs=0.02)
    assert [sidecar["loudness_lufs"] for sidecar in sidecars] == pytest.approx(loudness, abs=0.02)
    for number, (out, sidecar) in enumerate(zip(outs, sidecars, strict=True), 1):
        assert json.loads(out.with_suffix(".json").read_text()) == sidecar
        assert sidecar["settings"]["set"] == {"take": number, "takes": 3, "distinct": True}
        assert (sidecar["output"], sidecar["join_sample"], sidecar["subtype"]) == (out.name, 0, "PCM_24")
        assert np.abs(read(out).samples).max() <= 10 ** (-1 / 20)
        assert sidecar["measures"]["join"] is None  # a take is played alone
    assert not np.array_equal(read(outs[0]).samples, read(outs[1]).samples)


def test_warnings_name_the_takes_and_metadata_are_theirs(tmp_path: Path) -> None:
    prompt = read(write_wav(tmp_path / "prompt.wav", np.zeros(RATE), *everything(RATE)))
    outs = numbered(tmp_path / "take.wav", 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        sidecars = list(continue_set(prompt, [(out, Request(seconds=0.25)) for out in outs]))
    assert any("minf" in str(each.message) for each in caught)
    for out, sidecar in zip(outs, sidecars, strict=True):
        assert any(text.startswith(f"{out}: ") for text in sidecar["warnings"])
        assert all(text.startswith(f"{out}: ") for text in sidecar["warnings"] if "/" in text)
        metadata = read_metadata(out)
        assert metadata.broadcast is not None
        assert metadata.broadcast.time_reference == 172_800_000 + RATE
        assert sidecar["settings"]["metadata"] is True


def test_the_files_are_measured_as_they_are_written(peaky: Recording, tmp_path: Path) -> None:
    """Before they are brought to their level, takes of a loud prompt at +12 dB exceed full scale."""
    prompt = Recording(0.7 * peaky.samples, peaky.sample_rate)
    outs = numbered(tmp_path / "take.wav", 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        sidecars = list(continue_set(prompt, [(out, Request(seconds=3.0, seed=3, level=12.0)) for out in outs]))
    texts = [text for sidecar in sidecars for text in sidecar["warnings"]]
    assert sorted({str(each.message) for each in caught}) == sorted(set(texts))
    assert all(text.startswith(tuple(f"{out}: " for out in outs)) for text in texts)
    assert not any("full scale" in text for text in texts)
    peaks = [peak_of(read(out).samples) for out in outs]
    gains = [10 ** (sidecar["loudness"]["gain_db"] / 20) for sidecar in sidecars]
    assert max(peaks) < 1 < max(peak / gain for peak, gain in zip(peaks, gains, strict=True))
    for out, sidecar in zip(outs, sidecars, strict=True):
        samples = read(out).samples
        rms = 10 * np.log10(np.square(samples).mean())
        assert sidecar["measures"]["level"]["tail_db"] == pytest.approx(rms, abs=0.1)
        assert sidecar["measures"]["clipping"]["fraction"] == 0


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")
def test_the_recording_is_analysed_once_for_all_takes(
    peaky: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Recording] = []

    class Counted(TailEvaluator):
        def __init__(self, prompt: Recording) -> None:
            made.append(prompt)
            super().__init__(prompt)

    monkeypatch.setattr(tail_check, "TailEvaluator", Counted)
    outs = numbered(tmp_path / "take.wav", 2)
    list(continue_set(peaky, [(out, Request(seconds=1.5, seed=seed)) for seed, out in enumerate(outs)]))
    assert len(made) == 1


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # of tails of 4 s
def test_a_loudness_that_is_out_of_reach_is_said(peaky: Recording, tmp_path: Path) -> None:
    outs = numbered(tmp_path / "take.wav", 2)
    with pytest.warns(AudioWarning, match="instead of -3: with more, its true peak would exceed"):
        sidecars = list(continue_set(peaky, [(out, Request(seconds=1.5, loudness=-3.0)) for out in outs]))
    assert all(any("instead of -3" in text for text in sidecar["warnings"]) for sidecar in sidecars)


def test_takes_that_are_not_distinct_are_said_to_be(tmp_path: Path) -> None:
    times = np.arange(0.3, 11.9, 0.4)
    prompt = strokes(times, np.resize([1.0, 0.3, 0.6, 0.3], len(times)), 12.0)
    outs = numbered(tmp_path / "take.wav", 2)
    wanted = [(out, Request(seconds=1.5, seed=seed)) for seed, out in enumerate(outs)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        sidecars = list(continue_set(prompt, wanted))
    said = [text for text in sidecars[0]["warnings"] if "--no-pulse keeps them distinct" in text]
    assert len(said) == [str(each.message) for each in caught].count(said[0]) == 1
    assert [sidecar["settings"]["set"]["distinct"] for sidecar in sidecars] == [False, False]


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")
def test_takes_that_were_chosen_are_equally_loud_and_as_they_were(peaky: Recording, tmp_path: Path) -> None:
    outs = numbered(tmp_path / "take.wav", 2)
    request = Request(seconds=1.5, seed=3, subtype="FLOAT")
    wanted = [(outs[0], request), (outs[1], Request(seconds=2.0, seed=3, subtype="FLOAT", level=-9.0))]
    sidecars = list(continue_set(peaky, wanted, distinct=False))
    loudness = [loudness_of(read(out)) for out in outs]
    assert loudness == pytest.approx([loudness[0]] * 2, abs=0.02)
    assert not any(sidecar["settings"]["set"]["distinct"] for sidecar in sidecars)
    again = tmp_path / "again.wav"
    continue_recording(peaky, again, replace(request, tail_only=True))
    gain = 10 ** (sidecars[0]["loudness"]["gain_db"] / 20)
    np.testing.assert_allclose(read(outs[0]).samples, gain * read(again).samples, atol=1e-6)
