"""Rendering: positions in the material reach the source vocoder; resampling starts without a transient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from audiogen.audio import Recording, resample
from audiogen.pretrained import base
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.sound.continuation import Continuer
from audiogen.sound.patch_selection import Patch
from audiogen.sound.prompt_analysis import PromptAnalysis, analyse_prompt
from audiogen.sound.rendering import RESAMPLER_WARM_UP, Chunk, positions_of, render, resample_after
from audiogen.vocoders.source import Source, SourceOptions
from audiogen.vocoders.unit_selection import UnitPath

Texture = Callable[..., Recording]
RATE = 44100
SPEC = MelSpec()


def source_vocoder(prompt: PromptAnalysis) -> Source:
    material = prompt.material
    return Source.build(SPEC, material.samples[:, material.skipped :], SourceOptions())


def rendered(prompt: PromptAnalysis, chunks: list[Chunk]) -> np.ndarray:
    return np.concatenate(list(render(source_vocoder(prompt), prompt, chunks, 0)), axis=1)


@pytest.mark.parametrize("channels", [1, 2])
def test_known_positions_are_not_searched_for(texture: Texture, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = analyse_prompt(texture(3.0, channels=channels), SPEC)
    frames = prompt.material.side_by_side(channels)[20:180]
    chunks = [Chunk(part, 20 + 40 * n + torch.arange(40)) for n, part in enumerate(frames.split(40))]
    found = rendered(prompt, [Chunk(chunk.frames) for chunk in chunks])
    monkeypatch.setattr(UnitPath, "extend", lambda *_: pytest.fail("searched"))
    known = rendered(prompt, chunks)
    assert known.shape == found.shape
    assert known.shape[1] > 0
    # In the middle of the frames, both are the recording itself.
    start = (20 * SPEC.hop + prompt.material.skipped) + (SPEC.win - SPEC.hop)
    window = slice(30 * SPEC.hop, 50 * SPEC.hop)
    original = prompt.recording.samples[:, start:][:, window]
    assert np.corrcoef(known[0, window], original[0])[0, 1] > 0.9


def test_equal_frames_with_other_phases_are_another_waveform_of_the_same_levels(texture: Texture) -> None:
    prompt = analyse_prompt(texture(3.0), SPEC)
    frames = prompt.material.side_by_side(1)[20:180]
    chunk, vocoder = Chunk(frames, 20 + torch.arange(160)), source_vocoder(prompt)
    plain, same, other = (
        next(iter(render(each, prompt, [chunk], 0)))[0, 20 * SPEC.hop : 120 * SPEC.hop]
        for each in (vocoder, vocoder.with_other_phases(1), vocoder.with_other_phases(2))
    )
    assert abs(np.corrcoef(same, other)[0, 1]) < 0.3 > abs(np.corrcoef(plain, same)[0, 1])
    assert np.std(same) == pytest.approx(np.std(plain), rel=0.05)
    levels = [log_mel(torch.from_numpy(sound)[None], SPEC).mean(1) for sound in (plain, same)]
    assert float((levels[0] - levels[1]).abs().mean()) < 0.1  # nepers, in the mean of bands


def test_of_tails_that_are_kept_distinct_the_first_is_as_usual(texture: Texture) -> None:
    continuer = Continuer(base(), texture(3.0))
    alone = np.concatenate(list(continuer.tail(RATE, seed=1)), axis=1)
    continuer.keep_tails_distinct()
    first, second = (np.concatenate(list(continuer.for_one_tail().tail(RATE, seed=1)), axis=1) for _ in range(2))
    np.testing.assert_array_equal(first, alone)
    assert not np.array_equal(second, alone)


def test_positions_count_on_from_the_start_of_each_patch() -> None:
    frames = torch.zeros(3, 5)
    positions = positions_of([Patch(frames, 7), Patch(frames, 100)])
    assert positions is not None
    assert positions.tolist() == [7, 8, 9, 100, 101, 102]
    assert positions_of([Patch(frames, 7), Patch(frames, None)]) is None


@pytest.mark.parametrize(("rate", "new_rate"), [(44100, 48000), (44100, 8000), (44100, 44100)])
def test_resampling_continues_the_signal_before(rate: int, new_rate: int) -> None:
    time = np.arange(3 * rate) / rate
    tone = np.sin(2 * np.pi * 300 * time)[None].astype(np.float32)
    past, blocks = tone[:, rate : 2 * rate], [tone[:, 2 * rate + k : 2 * rate + k + 999] for k in range(0, rate, 999)]
    output = np.concatenate(list(resample_after(past[:, -RESAMPLER_WARM_UP:], blocks, rate, new_rate)), axis=1)
    expected = resample(tone, rate, new_rate)[:, 2 * new_rate :]
    length = output.shape[1]
    assert length > 0.8 * new_rate
    assert np.abs(output - expected[:, :length])[:, : length // 2].max() < 2e-2
