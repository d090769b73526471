"""Every registered backbone is causal, and fed in chunks it gives the outputs of the whole sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from audiogen.models.backbones import BACKBONES
from audiogen.models.backbones.base import Backbone
from audiogen.models.backbones.conv import ConvOptions
from audiogen.models.backbones.recurrent import RecurrentOptions
from audiogen.models.backbones.transformer import TransformerOptions

FEATURES, TIME = 5, 40
SMALL: dict[str, list[Any]] = {
    "lstm": [RecurrentOptions(16, 1), RecurrentOptions(16, 2)],
    "gru": [RecurrentOptions(16, 1), RecurrentOptions(16, 2)],
    "rnn": [RecurrentOptions(16, 1), RecurrentOptions(16, 2)],
    # Receptive fields of 8, 1 and 13 frames, windows of 6 and 1: all shorter than the sequence.
    "conv": [ConvOptions(16, 2, (1, 2, 4)), ConvOptions(16, 1, (1, 1)), ConvOptions(16, 4, (1, 3))],
    "transformer": [TransformerOptions(16, 2, 2, 6), TransformerOptions(16, 4, 1, 1)],
}
CASES = [(kind, options) for kind, variants in SMALL.items() for options in variants]


def test_every_backbone_is_tested():
    assert SMALL.keys() == BACKBONES.keys()


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{SMALL[case[0]].index(case[1])}")
def backbone(request: pytest.FixtureRequest) -> Backbone:
    kind, options = request.param
    torch.manual_seed(0)
    return BACKBONES[kind](FEATURES, options).eval()


def frames(batch: int = 2, time: int = TIME, seed: int = 0) -> Tensor:
    return torch.randn(batch, time, FEATURES, generator=torch.Generator().manual_seed(seed))


def tensors(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    else:
        for item in state:
            yield from tensors(item)


def in_pieces(backbone: Backbone, sequence: Tensor, sizes: list[int]) -> Tensor:
    state, outputs = None, []
    for piece in sequence.split(sizes, dim=1):
        output, state = backbone(piece, state)
        outputs.append(output)
    return torch.cat(outputs, dim=1)


@torch.no_grad()
def test_pieces_of_any_size_give_the_whole(backbone: Backbone):
    sequence = frames()
    whole, _ = backbone(sequence)
    assert whole.shape == (2, TIME, backbone.width)
    assert whole.std() > 0.05
    for sizes in ([1] * TIME, [3, 1, 17, 2, 9, 8], [39, 1], [1, 39]):
        assert (in_pieces(backbone, sequence, sizes) - whole).abs().max() < 1e-5


@torch.no_grad()
def test_the_future_never_changes_the_past(backbone: Backbone):
    sequence = frames()
    before, _ = backbone(sequence)
    for place in (0, 1, 20, TIME - 1):
        changed = sequence.clone()
        changed[:, place:] = frames(2, TIME - place, seed=1)
        after, _ = backbone(changed)
        assert torch.allclose(after[:, :place], before[:, :place], atol=1e-6)
        assert (after[:, place] - before[:, place]).abs().max() > 1e-3


def test_gradients_reach_the_past_only(backbone: Backbone):
    sequence = frames().requires_grad_()
    weights = torch.randn(backbone.width, generator=torch.Generator().manual_seed(4))
    (backbone(sequence)[0][:, 25] @ weights).sum().backward()
    assert sequence.grad is not None
    assert sequence.grad[:, 26:].abs().max() == 0
    assert sequence.grad[:, 25].abs().max() > 0


@torch.no_grad()
def test_the_state_is_batch_first_and_stops_growing(backbone: Backbone):
    def shapes(time: int) -> list[torch.Size]:
        _, state = backbone(frames(3, time))
        return [tensor.shape for tensor in tensors(state)]

    assert all(shape[0] == 3 for shape in shapes(1))
    assert shapes(TIME) == shapes(10 * TIME)


@torch.no_grad()
def test_a_state_belongs_to_its_item_of_the_batch(backbone: Backbone):
    both, one = frames(2), frames(2)[1:]
    _, state = backbone(both[:, :30])
    _, alone = backbone(one[:, :30])
    for shared, own in zip(tensors(state), tensors(alone), strict=True):
        assert torch.allclose(shared[1:], own, atol=1e-5)


@torch.no_grad()
def test_stepping_leaves_an_earlier_state_as_it_was(backbone: Backbone):
    _, state = backbone(frames(1, 30))
    copies = [tensor.clone() for tensor in tensors(state)]
    first, _ = backbone(frames(1, 1, seed=2), state)
    backbone(frames(1, 5, seed=3), state)
    assert all(torch.equal(old, new) for old, new in zip(copies, tensors(state), strict=True))
    again, _ = backbone(frames(1, 1, seed=2), state)
    assert torch.equal(first, again)


@torch.no_grad()
def test_a_finite_memory_forgets():
    conv = BACKBONES["conv"](FEATURES, ConvOptions(16, 2, (1, 2, 4))).eval()
    transformer = BACKBONES["transformer"](FEATURES, TransformerOptions(16, 2, 1, 6)).eval()
    for backbone, reach in ((conv, 8), (transformer, 6)):
        one, other = frames(1), frames(1)
        other[:, 0] += 1
        difference = (backbone(one)[0] - backbone(other)[0]).abs().amax(dim=(0, 2))
        assert difference[:reach].min() > 1e-6
        assert difference[reach:].max() < 1e-6


def test_dropout_acts_in_training_only():
    for kind, variants in SMALL.items():
        backbone = BACKBONES[kind](FEATURES, variants[-1])
        sequence = frames()
        assert not torch.equal(backbone(sequence)[0], backbone(sequence)[0]), kind
        backbone.eval()
        assert torch.equal(backbone(sequence)[0], backbone(sequence)[0]), kind


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="twice the heads"):
        TransformerOptions(width=20, heads=4)
