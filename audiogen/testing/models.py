"""The contract of models: losses, rollouts with an explicit state, and causality."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from audiogen.models.base import ContextModel, FrameModel, Model, State
from audiogen.testing.contract import copied, options_of, random_frames, require, same_tensors, sampling

TIME, PROMPT, STEPS = 20, 12, 8


def check_model(
    variant: type[Model], options: Any = None, *, features: int = 4, tolerance: float = 1e-4, time: int = 60
) -> None:
    """Check a model, of float frames or of tokens.

    - Losses are finite scalars, ``"loss"`` among them, and its gradient reaches the parameters that train.
    - Frames are finite ``[batch, features]`` (tokens ``[batch]``, below the size of the vocabulary).
    - A rollout is decided by its generator alone.
    - The state is explicit: not changed by steps from it, so that it can be used again.
    - A prompt read at once equals the same prompt read frame by frame, and the future never changes the past
      (of a `ContextModel`, in its contexts; of another `FrameModel` with patch selection, in its draws).
    - Log densities, where it has them, are finite, one for each frame but the first, and causal.

    Args:
        variant: the class.
        options: instance of ``variant.Options``; None for the defaults.
        features: size of a frame, or of the vocabulary.
        tolerance: largest difference between values that should be equal.
        time: length of the sequences that ``fit_closed_form`` and ``loss`` are given.

    Raises:
        ContractError: names what is wrong.
    """
    torch.manual_seed(0)
    model = variant(features, options_of(variant, options))
    sequences = _frames(model, 3, time, features)
    model.fit_closed_form(list(sequences))
    _check_losses(model, sequences)
    model.eval()
    with torch.no_grad():
        for weight in model.parameters():  # layers that start at zero would hide what reaches them
            weight.add_(0.1 * torch.randn_like(weight))
        _check_rollout(model, features)
        _check_state(model, features)
        if isinstance(model, ContextModel):
            _check_contexts(model, features, tolerance)
        elif isinstance(model, FrameModel) and model.uses_selection:
            _check_reading(model, features, tolerance)
        if isinstance(model, FrameModel):
            _check_likelihood(model, features)


def _frames(model: Model, batch: int, time: int, features: int, seed: int = 0) -> Tensor:
    if model.tokens:
        return torch.randint(features, (batch, time), generator=torch.Generator().manual_seed(seed))
    return random_frames(batch, time, features, seed)


def _check_losses(model: Model, frames: Tensor) -> None:
    losses = model.loss(frames)
    require("loss" in losses, 'there is no loss of the name "loss"')
    require(all(value.shape == () for value in losses.values()), "losses must be scalars")
    require(all(value.isfinite() for value in losses.values()), "losses are not finite")
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if weights:
        require(losses["loss"].requires_grad, "the loss has no gradient, though there are parameters to train")
        losses["loss"].backward()
        require(any(weight.grad is not None for weight in weights), "no gradient reaches the parameters")


def _rollout(model: Model, state: State, seed: int) -> Tensor:
    source, frames = sampling(seed=seed), []
    for _ in range(STEPS):
        frame, state = model.step(state, source)
        frames.append(frame)
    return torch.stack(frames, dim=1)


def _check_rollout(model: Model, features: int) -> None:
    prompt = _frames(model, 2, PROMPT, features)
    torch.manual_seed(5)
    first = _rollout(model, model.start(prompt), 1)
    shape, expected = list(first.shape), [2, STEPS] if model.tokens else [2, STEPS, features]
    require(shape == expected, f"stacked frames of shape {shape}: {expected} is expected")
    if model.tokens:
        require(int(first.min()) >= 0 and int(first.max()) < features, "tokens lie outside of the vocabulary")
    else:
        require(first.isfinite().all(), "frames are not finite")
    torch.manual_seed(6)
    require(
        torch.equal(first, _rollout(model, model.start(prompt), 1)),
        "the same generator gives another rollout: draw with sampling.normal and sampling.uniform",
    )


def _check_state(model: Model, features: int) -> None:
    state = model.start(_frames(model, 1, PROMPT, features))
    kept = copied(state)
    first = _rollout(model, state, 2)
    require(same_tensors(kept, state), "steps change the state that they start from")
    _rollout(model, state, 3)
    require(torch.equal(first, _rollout(model, state, 2)), "the state is not explicit: the same steps differ")


def _check_likelihood(model: FrameModel, features: int) -> None:
    frames = random_frames(2, TIME, features)
    nats = model.log_likelihood(frames)
    if nats is None:
        return
    require(nats.shape == (2, TIME - 1) and nats.isfinite().all(), "log_likelihood must be [batch, time - 1], finite")
    changed = torch.cat([frames[:, :PROMPT], random_frames(2, TIME - PROMPT, features, seed=1)], dim=1)
    later = model.log_likelihood(changed)
    assert later is not None
    difference = float((later - nats)[:, : PROMPT - 1].abs().max())
    require(difference <= 1e-2, "later frames change the log density of earlier ones: it is not causal")


def _check_contexts(model: ContextModel, features: int, tolerance: float) -> None:
    frames = random_frames(2, TIME, features)
    whole, _ = model.context(frames)
    changed = frames.clone()
    changed[:, PROMPT:] = random_frames(2, TIME - PROMPT, features, seed=1)
    difference = float((model.context(changed)[0] - whole)[:, :PROMPT].abs().max())
    require(difference <= tolerance, "later frames change earlier contexts: it is not causal")
    state = model.start(frames[:, :PROMPT])
    for position in range(PROMPT, TIME):
        difference = float((state[0] - whole[:, position - 1]).abs().max())
        cause = f"fed one frame at a time, its contexts differ by {difference:.2g} from those of the whole sequence"
        require(difference <= tolerance, f"{cause} (at most {tolerance:g} is allowed)")
        state = model.read(state, frames[:, position])


def _check_reading(model: FrameModel, features: int, tolerance: float) -> None:
    frames = random_frames(2, TIME, features)
    state = model.start(frames[:, :PROMPT])
    for position in range(PROMPT, TIME):
        state = model.read(state, frames[:, position])
    stepped, at_once = model.draw(state, sampling()), model.draw(model.start(frames), sampling())
    difference = float((stepped - at_once).abs().max())
    require(difference <= tolerance, f"a prompt read frame by frame gives draws that differ by {difference:.2g}")
