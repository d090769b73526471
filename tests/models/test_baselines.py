"""Replay baselines: loop, grains, walk."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from audiogen.models import MODELS, Sampling, State
from audiogen.models.baselines.grains import Grains, GrainsOptions
from audiogen.models.baselines.loop import Loop, LoopOptions
from audiogen.models.baselines.replay import FrameBuffer, ReplayBaseline
from audiogen.models.baselines.walk import MIN_JUMP, Walk, WalkOptions

FEATURES = 3


def sampling(temperature: float = 1.0, seed: int = 0) -> Sampling:
    return Sampling(temperature, generator=torch.Generator().manual_seed(seed))


def numbered(count: int, seed: int = 0) -> Tensor:
    """``[1, count, 3]``: random frames."""
    return torch.randn(1, count, FEATURES, generator=torch.Generator().manual_seed(seed))


def rollout(model: ReplayBaseline, prompt: Tensor, steps: int, source: Sampling) -> Tensor:
    return continued(model, model.start(prompt), steps, source)


def continued(model: ReplayBaseline, state: State, steps: int, source: Sampling) -> Tensor:
    drawn = []
    for _ in range(steps):
        frame, state = model.step(state, source)
        drawn.append(frame)
    return torch.stack(drawn, dim=1)


def positions(frames: Tensor, source: Tensor) -> list[int]:
    """Position in the source of each of ``[1, n, 3]`` frames, which must be frames of it."""
    distance, found = torch.cdist(frames[0], source[0], compute_mode="donot_use_mm_for_euclid_dist").min(1)
    assert float(distance.max()) < 1e-3
    return found.tolist()


def test_baselines_do_not_use_patch_selection() -> None:
    replaying = {kind for kind, model in MODELS.items() if issubclass(model, ReplayBaseline)}
    assert replaying == {"loop", "grains", "walk"}
    assert {kind for kind, model in MODELS.items() if not getattr(model, "uses_selection", True)} == {
        *replaying,
        "noise",
        "var",
    }


def test_a_loop_repeats_the_end_of_the_prompt_with_a_faded_seam() -> None:
    prompt, period = numbered(50), 12
    loop = Loop(FEATURES, LoopOptions(period=period, fade=0.5))
    made = rollout(loop, prompt, 4 * period, sampling())
    end = prompt[:, -period:]
    step = prompt[:, -1] - prompt[:, -period - 1]  # the discontinuity at the seam
    faded = end + step[:, None] * 0.5 ** torch.arange(1, period + 1)[None, :, None]
    torch.testing.assert_close(made[:, :period], faded, atol=1e-5, rtol=0)
    torch.testing.assert_close(made[:, period:], made[:, :period].repeat(1, 3, 1), atol=1e-3, rtol=0)
    plain = rollout(Loop(FEATURES, LoopOptions(period=period, fade=0.0)), prompt, 4 * period, sampling(2.0))
    torch.testing.assert_close(plain, end.repeat(1, 4, 1))


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_short_prompt_is_looped_whole(length: int) -> None:
    prompt = numbered(length)
    made = rollout(Loop(FEATURES, LoopOptions(period=12, fade=0.0)), prompt, 40, sampling())
    torch.testing.assert_close(made, prompt.repeat(1, 40, 1)[:, :40])


def test_a_loop_repeats_frames_of_another_source() -> None:
    prompt, other = numbered(20), numbered(30, seed=1)
    loop = Loop(FEATURES, LoopOptions(period=12, fade=0.0))
    state = loop.start(prompt)
    for frame in other[0]:
        state = loop.read(state, frame[None])
    torch.testing.assert_close(loop.draw(state, sampling()), other[:, -12])


def test_grains_are_uniform_and_in_no_order() -> None:
    prompt = numbered(50)
    made = positions(rollout(Grains(FEATURES, GrainsOptions(memory=64)), prompt, 2000, sampling()), prompt)
    counts = torch.bincount(torch.tensor(made), minlength=50)
    assert int(counts.min()) >= 15  # 40 expected; four standard deviations
    assert int(counts.max()) <= 65
    in_order = sum(later == earlier + 1 for earlier, later in pairwise(made))
    assert in_order / len(made) < 0.05


def test_replayed_frames_are_not_stored_again() -> None:
    prompt, news = numbered(50), numbered(1, seed=1)
    model = Grains(FEATURES, GrainsOptions(memory=64))
    state = model.start(prompt)
    for _ in range(100):
        _, state = model.step(state, sampling())
    assert state.length.tolist() == [50]
    torch.testing.assert_close(state.frames[:, -50:], prompt)
    state = model.read(state, news[:, 0])
    assert state.length.tolist() == [51]
    torch.testing.assert_close(state.at(state.position), news[:, 0])


def test_the_buffer_keeps_the_last_frames() -> None:
    prompt = numbered(50)
    memory = FrameBuffer.of(prompt, 20)
    torch.testing.assert_close(memory.frames, prompt[:, -20:])
    memory = memory.read(prompt[:, 0])
    torch.testing.assert_close(memory.frames, torch.cat([prompt[:, -19:], prompt[:, :1]], dim=1))
    assert memory.length.tolist() == [20]


def test_a_walk_follows_the_source_and_jumps() -> None:
    source = numbered(300).cumsum(1)
    walk = Walk(FEATURES, WalkOptions(memory=512))
    made = [299, *positions(rollout(walk, source, 400, sampling()), source)]
    moves = [later - earlier for earlier, later in pairwise(made)]
    jumps = [move for move in moves if move != 1]
    assert 0.35 < len(jumps) / len(moves) < 0.65
    assert all(abs(jump - 1) >= MIN_JUMP for jump in jumps[1:])  # the first jump is from the end of the source
    for earlier, later in pairwise(made[1:]):
        if later != earlier + 1 and earlier < 299:  # a jump leads to one of the frames most similar to the successor
            distance = (source[0] - source[0, earlier + 1]).norm(dim=1)
            assert int((distance < distance[later]).sum()) <= 8 + 2 * MIN_JUMP
    state = walk.read(walk.start(source), source[:, 99])
    assert positions(continued(walk, state, 50, sampling(0.0)), source) == list(range(100, 150))


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_a_walk_through_very_short_prompts(length: int) -> None:
    prompt = numbered(length)
    made = rollout(Walk(FEATURES, WalkOptions(memory=32)), prompt, 30, sampling())
    assert set(positions(made, prompt)) <= set(range(length))


def test_losses_are_prediction_errors() -> None:
    prompt = numbered(12).repeat(1, 3, 1)
    loop = Loop(FEATURES, LoopOptions(period=12, fade=0.0))
    fresh = float((prompt[:, 1:12] - prompt[:, :1]).square().mean())  # the first period predicts the first frame
    assert float(loop.loss(prompt)["mse"]) == pytest.approx(fresh * 11 / 35, rel=1e-3)
    walk = Walk(FEATURES, WalkOptions(memory=64))
    known = walk.start(prompt)
    assert float((walk.expected(walk.read(known, prompt[:, 4])) - prompt[:, 5]).abs().max()) < 1e-5
    grains = Grains(FEATURES, GrainsOptions(memory=64))
    torch.testing.assert_close(grains.expected(grains.start(prompt)), prompt.mean(1))
