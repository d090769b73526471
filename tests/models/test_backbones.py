"""Every registered backbone is causal, and fed in chunks it gives the outputs of the whole sequence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from audiogen.models.backbones import BACKBONES
from audiogen.models.backbones.conv import ConvOptions
from audiogen.models.backbones.recurrent import RecurrentOptions
from audiogen.models.backbones.transformer import TransformerOptions
from audiogen.testing import check_backbone

FEATURES, TIME = 5, 40
SMALL: dict[str, list[Any]] = {
    "lstm": [RecurrentOptions(16, 1), RecurrentOptions(16, 2)],
    "gru": [RecurrentOptions(16, 1), RecurrentOptions(16, 2)],
    "rnn": [RecurrentOptions(16, 1), RecurrentOptions(16, 2)],
    # Receptive fields of 8, 1 and 13 frames, windows of 6 and 1: all shorter than the sequence.
    "conv": [ConvOptions(16, 2, (1, 2, 4)), ConvOptions(16, 1, (1, 1)), ConvOptions(16, 4, (1, 3))],
    "transformer": [TransformerOptions(16, 2, 2, 6), TransformerOptions(16, 4, 1, 1)],
}
WITH_DROPOUT = list(SMALL)
SMALL |= {kind: [backbone.Options()] for kind, backbone in BACKBONES.items() if kind not in SMALL}
CASES = [(kind, options) for kind, variants in SMALL.items() for options in variants]


def frames(batch: int = 2, time: int = TIME, seed: int = 0) -> Tensor:
    return torch.randn(batch, time, FEATURES, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_the_contract(kind: str, options: Any):
    check_backbone(BACKBONES[kind], options, features=FEATURES, memory=TIME)


@torch.no_grad()
def test_a_finite_memory_forgets():
    conv = BACKBONES["conv"](FEATURES, ConvOptions(16, 2, (1, 2, 4))).eval()
    attention = BACKBONES["transformer"](FEATURES, TransformerOptions(16, 2, 1, 6)).eval()
    for backbone, reach in ((conv, 8), (attention, 6)):
        one, other = frames(1), frames(1)
        other[:, 0] += 1
        difference = (backbone(one)[0] - backbone(other)[0]).abs().amax(dim=(0, 2))
        assert difference[:reach].min() > 1e-6
        assert difference[reach:].max() < 1e-6


def test_a_transformer_compiles_as_one_graph():
    """`torch.compile` meets nothing that it cannot trace, such as a cache. Traced only: compiling takes 20 s."""
    attention, sequence = BACKBONES["transformer"](FEATURES, TransformerOptions(16, 2, 2, 6)).eval(), frames()
    compiled = torch.compile(attention, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(sequence)[0], attention(sequence)[0])


def test_dropout_acts_in_training_only():
    for kind in WITH_DROPOUT:
        backbone = BACKBONES[kind](FEATURES, SMALL[kind][-1])
        sequence = frames()
        assert not torch.equal(backbone(sequence)[0], backbone(sequence)[0]), kind
        backbone.eval()
        assert torch.equal(backbone(sequence)[0], backbone(sequence)[0]), kind


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="twice the heads"):
        TransformerOptions(width=20, heads=4)


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
@torch.no_grad()
def test_a_step_follows_changes_of_the_weights(kind: str):
    """The weights of a single step are packed once, and again when training or loading has changed them."""
    backbone = BACKBONES[kind](FEATURES, SMALL[kind][0]).eval()
    sequence = frames(time=3)

    def check() -> None:
        _, state = backbone(sequence[:, :2])
        stepped, _ = backbone(sequence[:, 2:], state)
        torch.testing.assert_close(stepped, backbone(sequence)[0][:, 2:], rtol=1e-4, atol=1e-5)

    for _ in range(2):
        check()
        for weight in backbone.parameters():
            weight.mul_(-2)
    other = BACKBONES[kind](FEATURES, SMALL[kind][0])
    backbone.load_state_dict(other.state_dict(), assign=True)
    check()


@torch.no_grad()
def test_a_batch_of_states_after_different_numbers_of_frames():
    transformer = BACKBONES["transformer"](FEATURES, TransformerOptions(16, 2, 2, 6)).eval()
    before, following = [frames(1, time=9), frames(1, time=TIME, seed=1)], frames()
    states = [transformer(each)[1] for each in before]
    positions, caches = zip(*states, strict=True)
    both = torch.cat(positions), [torch.cat(pair) for pair in zip(*caches, strict=True)]
    for time in (1, 4):
        together = transformer(following[:, :time], both)[0]
        for row, state in enumerate(states):
            alone = transformer(following[row : row + 1, :time], state)[0]
            torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-5)
