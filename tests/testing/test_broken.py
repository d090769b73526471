"""Every contract test fails, and says why, on an implementation that breaks the contract in one way."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audiogen.audio import Recording
from audiogen.metrics.registry import Metric
from audiogen.models.backbones.base import Backbone
from audiogen.models.backbones.recurrent import GRU, RecurrentOptions
from audiogen.models.base import Model, Sampling, State
from audiogen.models.heads.base import Head
from audiogen.models.heads.mixture import Mixture
from audiogen.models.sequence_model import SequenceModel
from audiogen.models.vae import VAE
from audiogen.representation.mel import MelSpec
from audiogen.testing import ContractError, check_backbone, check_head, check_metric, check_model, check_vocoder
from audiogen.vocoders.base import Stream, Vocoder

SMALL = RecurrentOptions(8, 1, 0.0)


@dataclass(frozen=True)
class NoOptions:
    """Nothing to configure."""


# Backbones


class Good(GRU):
    """Keeps the contract."""


class Transposed(Good):
    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        output, state = super().forward(frames, state)
        return output.transpose(1, 2), state


class Forgetful(Good):
    """Starts anew with each call."""

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return super().forward(frames, None)


class Bidirectional(Good):
    """Normalises by the whole sequence."""

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        if frames.shape[1] > 39:  # as long as the pieces, it does not
            frames = frames + frames.mean(dim=1, keepdim=True) * (frames.shape[1] - 39)
        return super().forward(frames, state)


class Looking(Backbone):
    """Sees one frame ahead, and is consistent about it in pieces."""

    Options = NoOptions

    def __init__(self, features: int, options: NoOptions) -> None:
        super().__init__(features, options)
        self.layer, self.width = nn.Linear(features, 4), 4

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.layer(frames + frames.roll(-1, dims=1)), frames[:, -1]


class InPlace(Good):
    """Writes into the state that it is given."""

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        output, new = super().forward(frames, state)
        if state is not None:
            state.copy_(new)
        return output, new


class Hidden(Good):
    """Keeps something outside of the state."""

    calls = 0

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        output, state = super().forward(frames, state)
        self.calls += frames.shape[1] == 1 and frames.shape[0] == 1
        return output + self.calls, state


class Growing(Good):
    """Remembers all frames."""

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        memory, past = (None, frames[:, :0]) if state is None else state
        output, memory = super().forward(frames, memory)
        return output, (memory, torch.cat([past, frames], dim=1))


class Noisy(Good):
    """Drops units in evaluation mode too."""

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        output, state = super().forward(frames, state)
        return nn.functional.dropout(output, 0.5, training=True), state


class Idle(Good):
    """Has a parameter without an effect."""

    def __init__(self, features: int, options: RecurrentOptions) -> None:
        super().__init__(features, options)
        self.unused = nn.Linear(2, 2)


class Mixing(Good):
    """Mixes the items of a batch."""

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return super().forward(frames + frames.mean(dim=0, keepdim=True), state)


class TimeFirst(Good):
    """Keeps its state ``[layers, batch, hidden]``."""

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        output, state = super().forward(frames, None if state is None else state.transpose(0, 1))
        return output, state.transpose(0, 1)


class Dead(Good):
    """Passes no gradient on."""

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return super().forward(frames.detach() + 0 * frames, state)


def test_a_good_backbone_passes() -> None:
    check_backbone(Good, SMALL)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (Transposed, r"\[batch, time, width\]"),
        (Forgetful, "fed one frame at a time, its outputs differ by"),
        (Bidirectional, "not causal"),
        (Looking, "full forward pass|not causal"),
        (InPlace, "changes the state|differ by"),
        (Hidden, "not explicit"),
        (Growing, "grows after"),
        (Noisy, "same input gives other outputs"),
        (Idle, r"the parameters unused\.weight, unused\.bias"),
        (Mixing, "depends on the others"),
        (TimeFirst, "not batch first"),
        (Dead, "no gradient reaches the input"),
    ],
)
def test_a_broken_backbone_is_found(backbone: type[Backbone], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_backbone(backbone, None if backbone is Looking else SMALL)


def test_options_need_defaults() -> None:
    @dataclass(frozen=True)
    class Required:
        width: int

    class Demanding(Good):
        Options = Required  # type: ignore[assignment]

    with pytest.raises(ContractError, match="each field needs a default"):
        check_backbone(Demanding)


# Heads


class WrongShape(Mixture):
    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        return super().sample(context, sampling)[:, :-1]


class GlobalNoise(Mixture):
    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        return super().sample(context, sampling) + sampling.temperature * torch.randn(len(context), 1)


class AlwaysWarm(Mixture):
    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        return super().sample(context, Sampling(1.0, generator=sampling.generator))


class Cooling(Mixture):
    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        tau = sampling.temperature
        return super().sample(context, Sampling(tau if tau < 1 else 0.1, generator=sampling.generator))


class Unnamed(Mixture):
    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        return {"nll": super().loss(context, frame)["loss"]}


class Rising(Mixture):
    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        loss = super().loss(context, frame)["loss"]
        return {"loss": loss.detach() - 1e-3 * (loss - loss.detach())}


class Blind(Mixture):
    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        return super().loss(context.detach() * 0 + 0 * context, frame)


class Unreduced(Mixture):
    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        return {"loss": -self.log_likelihood(context, frame)}


class Averaged(Mixture):
    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor:
        return super().log_likelihood(context, frame).mean()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (WrongShape, "samples of shape"),
        (GlobalNoise, "the same generator gives other samples"),
        (AlwaysWarm, "at temperature 0"),
        (Cooling, "falls with temperature"),
        (Unnamed, 'no loss of the name "loss"'),
        (Rising, "does not fall"),
        (Unreduced, "must be scalars"),
        (Averaged, r"\[n\] finite nats"),
        (Blind, "no gradient reaches the context"),
    ],
)
def test_a_broken_head_is_found(head: type[Head], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_head(head)


# Models


class Unseeded(SequenceModel):
    def draw(self, state: State, sampling: Sampling) -> Tensor:
        frame = super().draw(state, sampling)
        return frame + torch.randn_like(frame)


class Stateful(SequenceModel):
    drawn = 0

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        self.drawn += 1
        return super().draw(state, sampling) + self.drawn // 17


class Deaf(SequenceModel):
    """Does not read its own frames."""

    def read(self, state: State, frame: Tensor) -> State:
        return super().read(state, frame * 0)


class NotANumber(SequenceModel):
    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        return {"loss": super().loss(frames)["loss"] / 0}


class Skipping(VAE):
    """Does not read its own frames, in a model of contexts."""

    def read(self, state: State, frame: Tensor) -> State:
        return super().read(state, frame * 0)


class Peeking(VAE):
    """Its contexts know the whole sequence."""

    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return super().context(frames + frames.flip(1), state)


class Overwriting(VAE):
    """Reads into the state that it is given."""

    def read(self, state: State, frame: Tensor) -> State:
        context, memory = super().read(state, frame)
        return state[0].copy_(context), memory


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Unseeded, "the same generator gives another rollout"),
        (Stateful, "another rollout|not explicit"),
        (Deaf, "read frame by frame"),
        (NotANumber, "not finite"),
        (Skipping, "fed one frame at a time, its contexts differ by"),
        (Peeking, "not causal"),
        (Overwriting, "change the state"),
    ],
)
def test_a_broken_model_is_found(model: type[Model], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_model(model)


# Vocoders


class Hiss(Vocoder):
    """Noise at the level of the frames; the ways to break it are class attributes."""

    Options = NoOptions
    gain, extra, seeded, ahead, by_piece = 1.0, 0, True, False, False

    def __init__(self, spec: MelSpec) -> None:
        self.spec = spec

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: Any) -> Hiss:
        return cls(spec)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        return HissStream(self, channels, seed)


class HissStream(Stream):
    opened = itertools.count()

    def __init__(self, vocoder: Hiss, channels: int, seed: int) -> None:
        self.vocoder, self.channels = vocoder, channels
        self.random = np.random.default_rng(seed if vocoder.seeded else next(self.opened))

    def push(self, frames: Tensor) -> Tensor:
        spec, vocoder = self.vocoder.spec, self.vocoder
        power = frames.exp().square().mean(-1) if not vocoder.ahead else frames.exp().square().mean((1, 2))[:, None]
        level = (vocoder.gain * power.expand(-1, frames.shape[1])).sqrt().clamp(min=0)
        noise = self.random.standard_normal((frames.shape[1], self.channels, spec.hop)).astype(np.float32)
        if vocoder.by_piece:
            noise[0] = 0
        samples = torch.from_numpy(noise).permute(1, 0, 2) * level[:, :, None]
        return samples.flatten(1)

    def finish(self) -> Tensor:
        return torch.zeros(self.channels, self.vocoder.extra)


class Longer(Hiss):
    extra = 1


class Fixed(Hiss):
    """Renders frames of another spec than it was built for."""

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: Any) -> Hiss:
        return cls(MelSpec(22050, 1024, 1024, 256, 80, fmax=11025.0))


class Reseeded(Hiss):
    seeded = False


class ByPiece(Hiss):
    by_piece = True


class Ahead(Hiss):
    ahead = True


class Louder(Hiss):
    gain = 100.0


class Humming(Hiss):
    """Adds a constant."""

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        stream = HissStream(self, channels, seed)
        push = stream.push
        stream.push = lambda frames: push(frames) + 0.01  # type: ignore[method-assign]
        return stream


@pytest.mark.parametrize(
    ("vocoder", "message"),
    [
        (Longer, "samples of shape"),
        (Fixed, "its spec is another"),
        (Reseeded, "same seed gives other samples"),
        (ByPiece, "in pieces give other samples"),
        (Ahead, "in pieces give other samples|samples that were final"),
        (Louder, "dB off"),
        (Humming, "silent frames become"),
    ],
)
def test_a_broken_vocoder_is_found(vocoder: type[Vocoder], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_vocoder(vocoder, level_tolerance=12.0)


def test_a_vocoder_of_noise_passes() -> None:
    check_vocoder(Hiss, level_tolerance=60.0)  # the level alone is not that of the frames


# Metrics


class Level(Metric):
    """RMS level in dB."""

    def __call__(self, tail: Recording) -> Mapping[str, float]:
        with np.errstate(divide="ignore"):
            return {"level": float(10 * np.log10(np.square(tail.samples).mean()))}


class Listed(Level):
    def __call__(self, tail: Recording) -> Mapping[str, float]:
        return list(super().__call__(tail).values())  # type: ignore[return-value]


class Worded(Level):
    def __call__(self, tail: Recording) -> Mapping[str, float]:
        return {"level": "loud"}  # type: ignore[dict-item]


class Counting(Level):
    count = 0

    def __call__(self, tail: Recording) -> Mapping[str, float]:
        self.count += 1
        return {"level": float(self.count)}


class Renamed(Level):
    count = 0

    def __call__(self, tail: Recording) -> Mapping[str, float]:
        self.count += 1
        return {f"level{self.count}": 0.0}


class Writing(Level):
    def __call__(self, tail: Recording) -> Mapping[str, float]:
        tail.samples[:] *= 0.5
        return {"level": 0.0}


class Missing(Level):
    def __call__(self, tail: Recording) -> Mapping[str, float]:
        return {"level": float("nan")}


class Crashing(Level):
    def __call__(self, tail: Recording) -> Mapping[str, float]:
        return {"level": float(tail.samples[0, 1])}


def test_a_good_metric_passes() -> None:
    check_metric(Level)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (Listed, "a mapping is expected"),
        (Worded, "a real number is expected"),
        (Counting, "other values the second time"),
        (Renamed, "values of other names"),
        (Writing, "changes the samples"),
        (Missing, "no finite value"),
        (Crashing, "a tail of 1 samples: IndexError"),
    ],
)
def test_a_broken_metric_is_found(metric: type[Metric], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_metric(metric)
