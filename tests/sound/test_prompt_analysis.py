"""Which part of a prompt serves in which role, and that tails are made so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording
from audiogen.representation.mel import MelSpec
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.fade_detection import NONE
from audiogen.sound.partial_continuation import PartialContinuation
from audiogen.sound.prompt_analysis import PromptParts, analyse_prompt, divide_prompt

Texture = Callable[..., Recording]
Untrained = Callable[..., Run]
RATE = 22050


def faded(fade_in: float = 0.5, fade_out: float = 1.0, silence: float = 0.0) -> Recording:
    """Noise of 6 s with fades, and silence after them."""
    samples = 0.1 * np.random.default_rng(0).standard_normal((2, 6 * RATE))
    first, last, still = (round(seconds * RATE) for seconds in (fade_in, fade_out, silence))
    samples[:, :first] *= np.linspace(0, 1, first)
    samples[:, samples.shape[1] - last :] *= np.linspace(1, 0, last)
    return Recording(np.concatenate([samples, np.zeros((2, still))], axis=1), RATE)


def test_the_whole_prompt_serves_in_all_roles(texture: Texture) -> None:
    prompt = texture(2.0, channels=2)
    analysis = analyse_prompt(PromptParts.whole(prompt), MelSpec())
    assert analysis.material is analysis.join_partner is analysis.level_reference
    restored = analysis.to_channels(analysis.material.samples.numpy())
    np.testing.assert_allclose(restored, prompt.samples, atol=1e-5)


def test_a_prompt_without_edges_is_not_divided() -> None:
    prompt = faded(0, 0)
    parts = divide_prompt(prompt)
    assert parts.material is parts.join_partner is prompt
    assert (parts.start, parts.stop, parts.edges) == (0, prompt.length, (NONE, NONE))


def test_a_fade_is_in_no_role_by_default() -> None:
    prompt = faded()
    with pytest.warns(AudioWarning, match=r"fades in over 0\.\d+ s and fades out over .* continued from before that"):
        parts = divide_prompt(prompt)
    assert parts.start == 0
    assert parts.stop / RATE == pytest.approx(4.95, abs=0.15)
    assert parts.material is parts.join_partner
    assert parts.material.start is None
    assert np.array_equal(parts.material.samples, prompt.samples[:, parts.stop - parts.material.length : parts.stop])
    assert (parts.stop - parts.material.length) / RATE == pytest.approx(0.5, abs=0.1)
    assert np.array_equal(parts.before_tail.samples, prompt.samples[:, : parts.stop])


def test_kept_edges_are_joined_to_and_are_no_material() -> None:
    prompt = faded(silence=0.5)
    with pytest.warns(AudioWarning, match="the tail is not made of that"):
        parts = divide_prompt(prompt, keep_edges=True)
    assert parts.stop == prompt.length
    assert parts.join_partner is prompt
    assert parts.material.seconds == pytest.approx(4.4, abs=0.2)
    analysis = analyse_prompt(parts, MelSpec())
    assert analysis.join_partner.samples.shape[1] > analysis.material.samples.shape[1]
    assert analysis.join_partner.rotation is analysis.material.rotation


def test_a_loop_begins_after_a_fade_in() -> None:
    with pytest.warns(AudioWarning, match="the loop begins at"):
        parts = divide_prompt(faded(), loop=True)
    assert parts.before_tail.length == parts.material.length
    assert parts.start / RATE == pytest.approx(0.5, abs=0.1)


def test_an_ambience_is_written_alone() -> None:
    time = np.arange(6 * RATE) / RATE
    room = 0.003 * np.random.default_rng(0).standard_normal(len(time))
    voice = np.where(time % 2 < 0.8, 0.2 * np.sin(2 * np.pi * 300 * time), 0)
    with pytest.warns(AudioWarning, match="ambience without events"):
        parts = divide_prompt(Recording(room + voice, RATE), ambience=True)
    assert parts.before_tail.length == 0
    assert parts.bed is not None
    assert parts.material.samples.std() == pytest.approx(0.003, rel=0.03)


@pytest.mark.parametrize("keep_edges", [False, True])
def test_tails_of_a_faded_prompt_do_not_dip(untrained: Untrained, keep_edges: bool) -> None:
    prompt = faded(silence=0.5)
    with pytest.warns(AudioWarning):
        parts = divide_prompt(prompt, keep_edges=keep_edges)
    tail = np.concatenate(list(Continuer(untrained(prompt), parts).tail(4 * RATE)), axis=1)
    tenths = 10 * np.log10(np.square(tail.reshape(2, 40, -1)).mean(axis=(0, 2)))
    assert np.abs(tenths + 20).max() < 3, "from the first tenth on"
    assert 10 * np.log10(np.square(tail).mean()) == pytest.approx(-20, abs=1)


@pytest.mark.parametrize("keep_edges", [False, True])
def test_partials_are_those_of_the_material_and_in_phase_where_the_tail_begins(keep_edges: bool) -> None:
    noise = faded(silence=0.5)
    time = np.arange(noise.length) / RATE
    tone = 0.1 * np.sin(2 * np.pi * 440 * time)
    gain = np.clip(np.minimum(time / 0.5, 6 - time), 0, 1)
    prompt = Recording((0.05 * noise.samples + gain * tone).astype(np.float32), RATE)
    with pytest.warns(AudioWarning):
        parts = divide_prompt(prompt, keep_edges=keep_edges)
    partials = analyse_prompt(parts, MelSpec()).partials
    assert partials is not None
    assert partials.residual.length == parts.material.length
    length = RATE // 5
    quiet = np.zeros((2, length), np.float32)
    (tail,) = PartialContinuation(partials, 0, gap=parts.gap).added_to([quiet])
    expected = 0.1 * np.sin(2 * np.pi * 440 * (parts.stop + np.arange(length)) / RATE)
    assert np.corrcoef(tail[0], expected)[0, 1] > 0.98
    assert tail[0].std() == pytest.approx(expected.std(), rel=0.1)


def test_material_may_be_a_part_of_the_prompt(texture: Texture, untrained: Untrained) -> None:
    prompt = texture(4.0)
    run = untrained(prompt)
    continuer = Continuer(run, PromptParts(prompt, 0, prompt.length, prompt.cut(0, prompt.length // 2)))
    assert len(continuer.frames) < 0.6 * len(Continuer(run, prompt).frames)
    chunk = next(continuer.frames_after(0, 1.0))
    assert chunk.positions is not None
    assert int(chunk.positions.max()) < len(continuer.frames)
    tail = np.concatenate(list(continuer.tail(30_000)), axis=1)
    assert tail.std() == pytest.approx(prompt.samples.std(), rel=0.5)
