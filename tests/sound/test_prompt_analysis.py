"""The three roles of a prompt: material, join partner and level reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.representation.mel import MelSpec
from audiogen.representation.recording_features import extract_features
from audiogen.run import Run
from audiogen.sound import continuation
from audiogen.sound.continuation import Continuer
from audiogen.sound.prompt_analysis import PromptAnalysis, analyse_prompt

Texture = Callable[..., Recording]
Untrained = Callable[..., Run]


def test_the_whole_prompt_serves_in_all_roles(texture: Texture) -> None:
    prompt = texture(2.0, channels=2)
    analysis = analyse_prompt(prompt, MelSpec())
    assert analysis.material is analysis.join_partner is analysis.level_reference
    restored = analysis.to_channels(analysis.material.samples.numpy())
    np.testing.assert_allclose(restored, prompt.samples, atol=1e-5)


def test_material_may_be_a_part_of_the_prompt(
    texture: Texture, untrained: Untrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = texture(4.0)
    run = untrained(prompt)

    def without_the_end(prompt: Recording, spec: MelSpec) -> PromptAnalysis:
        whole = analyse_prompt(prompt, spec)
        start = prompt.cut(0, prompt.length // 2)
        return replace(whole, material=extract_features(start, spec, whole.join_partner.rotation))

    everything = Continuer(run, prompt)
    monkeypatch.setattr(continuation, "analyse_prompt", without_the_end)
    continuer = Continuer(run, prompt)
    assert len(continuer.frames) < 0.6 * len(everything.frames)
    chunk = next(continuer.frames_after(0, 1.0))
    assert chunk.positions is not None
    assert int(chunk.positions.max()) < len(continuer.frames)
    tail = np.concatenate(list(continuer.tail(30_000)), axis=1)
    assert tail.std() == pytest.approx(prompt.samples.std(), rel=0.5)
    assert continuer.level == everything.level
