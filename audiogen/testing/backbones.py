"""The contract of backbones: causal, and frame by frame the same as the whole sequence at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from audiogen.models.backbones.base import Backbone
from audiogen.testing.contract import copied, options_of, random_frames, require, same_tensors, state_tensors

TIME = 40
SPLITS = ([1] * TIME, [3, 1, 17, 2, 9, 8], [39, 1], [1, 39])


def check_backbone(
    variant: type[Backbone], options: Any = None, *, features: int = 5, tolerance: float = 1e-5, memory: int = 512
) -> None:
    """Check a backbone.

    - Outputs are finite ``[batch, time, width]``, and depend on the input of the same step.
    - A sequence fed frame by frame, or in pieces of any size, gives the outputs of the whole sequence at once.
    - The future never changes the past, in values and in gradients.
    - Gradients reach every parameter.
    - The state is explicit: tensors, batch first, of bounded size; not changed by steps from it, so that it can be used
      again; and each item of a batch has its own.
    - In evaluation mode the same input gives the same output.

    Args:
        variant: the class.
        options: instance of ``variant.Options``; None for the defaults.
        features: size of an input frame.
        tolerance: largest difference between outputs that should be equal.
        memory: steps after which the state must have stopped growing.

    Raises:
        ContractError: names what is wrong.
    """
    torch.manual_seed(0)
    backbone = variant(features, options_of(variant, options)).eval()
    with torch.no_grad():
        _check_outputs(backbone, features, tolerance)
        _check_causality(backbone, features, tolerance)  # first: without it, stepping must differ
        _check_pieces(backbone, features, tolerance)
        _check_state(backbone, features, tolerance, memory)
    _check_gradients(backbone, features)


def _check_outputs(backbone: Backbone, features: int, tolerance: float) -> None:
    frames = random_frames(2, TIME, features)
    result = backbone(frames)
    require(isinstance(result, tuple) and len(result) == 2, "forward returns no pair (output, state)")
    output, _ = result
    shape, expected = list(output.shape), [2, TIME, backbone.width]
    require(shape == expected, f"output of shape {shape}: [batch, time, width] = {expected} is expected")
    require(output.isfinite().all(), "outputs are not finite")
    require(torch.equal(output, backbone(frames)[0]), "in evaluation mode, the same input gives other outputs")
    changed = frames.clone()
    changed[:, 20] += 1
    difference = (backbone(changed)[0] - output)[:, 20].abs().max()
    require(difference > tolerance, "the output does not depend on the input of the same step")


def _check_pieces(backbone: Backbone, features: int, tolerance: float) -> None:
    frames = random_frames(2, TIME, features)
    whole, _ = backbone(frames)
    for sizes in SPLITS:
        difference = float((_in_pieces(backbone, frames, sizes) - whole).abs().max())
        how = "one frame at a time" if max(sizes) == 1 else f"in pieces of {sizes} frames"
        cause = f"fed {how}, its outputs differ by {difference:.2g} from those of the whole sequence"
        require(difference <= tolerance, f"{cause} (at most {tolerance:g} is allowed)")


def _in_pieces(backbone: Backbone, frames: Tensor, sizes: list[int]) -> Tensor:
    state, outputs = None, []
    for piece in frames.split(sizes, dim=1):
        output, state = backbone(piece, state)
        outputs.append(output)
    return torch.cat(outputs, dim=1)


def _check_causality(backbone: Backbone, features: int, tolerance: float) -> None:
    frames = random_frames(2, TIME, features)
    before, _ = backbone(frames)
    for position in (1, 20, TIME - 1):
        changed = frames.clone()
        changed[:, position:] = random_frames(2, TIME - position, features, seed=1)
        difference = (backbone(changed)[0] - before)[:, :position].abs().max()
        require(difference <= tolerance, f"inputs from step {position} on change outputs before it: it is not causal")


def _check_state(backbone: Backbone, features: int, tolerance: float, memory: int) -> None:
    def shapes(time: int) -> list[torch.Size]:
        return [tensor.shape for tensor in state_tensors(backbone(random_frames(3, time, features))[1])]

    require(all(shape[:1] == (3,) for shape in shapes(1)), "the tensors of the state are not batch first")
    require(shapes(memory) == shapes(memory + TIME), f"the state still grows after {memory} steps")

    frames = random_frames(2, 30, features)
    _, both = backbone(frames)
    _, alone = backbone(frames[1:])
    for shared, own in zip(state_tensors(both), state_tensors(alone), strict=True):
        same = torch.allclose(shared[1:].double(), own.double(), atol=tolerance)
        require(same, "the state of one item of a batch depends on the others")

    _, state = backbone(random_frames(1, 30, features))
    kept = copied(state)
    output, _ = backbone(random_frames(1, 1, features, seed=2), state)
    backbone(random_frames(1, 5, features, seed=3), state)
    require(same_tensors(kept, state), "a step changes the state that it starts from")
    again, _ = backbone(random_frames(1, 1, features, seed=2), state)
    require(torch.equal(output, again), "the state is not explicit: the same step from it gives another output")


def _check_gradients(backbone: Backbone, features: int) -> None:
    backbone.zero_grad()
    frames = random_frames(2, TIME, features).requires_grad_()
    weights = torch.randn(backbone.width, generator=torch.Generator().manual_seed(4))
    output, _ = backbone(frames)
    (output[:, 25] @ weights).sum().backward(retain_graph=True)
    require(frames.grad is not None and frames.grad[:, 25].abs().max() > 0, "no gradient reaches the input")
    assert frames.grad is not None
    require(frames.grad[:, 26:].abs().max() == 0, "gradients reach later inputs: it is not causal")
    (output @ weights).sum().backward()
    idle = [name for name, weight in backbone.named_parameters() if weight.requires_grad and weight.grad is None]
    require(not idle, f"no gradient reaches the parameters {', '.join(idle)}")
