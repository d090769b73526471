"""Every registered backbone is causal, and fed in chunks it gives the outputs of the whole sequence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from audiogen.models.backbones import BACKBONES, transformer
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


def test_a_compiled_transformer_caches_no_rotations(monkeypatch: pytest.MonkeyPatch):
    """A cache cannot be part of a compiled graph (`torch.compile(fullgraph=True)` refuses it; 20 s to try)."""
    heads = torch.randn(1, 2, 7, 8)
    expected, before = transformer.rotate(heads, 3), transformer._rotations.cache_info()
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.equal(transformer.rotate(heads, 3), expected)
    assert transformer._rotations.cache_info() == before


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


@torch.no_grad()
def test_an_lstm_that_has_been_changed_steps_by_its_new_weights():
    """The weights of a single step are packed once, and again when training or loading has changed them."""
    backbone = BACKBONES["lstm"](6, RecurrentOptions(8, 2, 0.0)).eval()
    frames = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        _, state = backbone(frames[:, :2])
        stepped, _ = backbone(frames[:, 2:], state)
        torch.testing.assert_close(stepped, backbone(frames)[0][:, 2:])
        for weight in backbone.parameters():
            weight.mul_(-2)
