"""Sets of takes in files: equally loud, described, and nothing of the temporary files shows."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, read, read_metadata
from audiogen.jobs.continue_set import continue_set
from audiogen.jobs.loudness_target import loudness_of
from audiogen.jobs.request import Request
from audiogen.output_names import numbered
from audiogen.run import Run
from tests.audio.metadata.wave_files import RATE, everything, write_wav

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
        assert sidecar["settings"]["set"] == {"take": number, "takes": 3}
        assert (sidecar["output"], sidecar["join_sample"], sidecar["subtype"]) == (out.name, 0, "PCM_24")
        assert np.abs(read(out).samples).max() <= 10 ** (-1 / 20)
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
