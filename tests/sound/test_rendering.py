"""Rendering: positions in the material reach the source vocoder; resampling starts without a transient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from audiogen.audio import Recording, resample
from audiogen.representation.mel import MelSpec
from audiogen.sound.patch_selection import Patch
from audiogen.sound.prompt_analysis import PromptAnalysis, analyse_prompt
from audiogen.sound.rendering import RESAMPLER_WARM_UP, Chunk, positions_of, render, resample_after
from audiogen.vocoders.source import Source, SourceOptions
from audiogen.vocoders.unit_selection import UnitPath

Texture = Callable[..., Recording]
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
