"""VAE and GAN: losses, and rollouts after a short training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from audiogen.config.choice import Choice
from audiogen.models import MODELS, Model, Sampling
from audiogen.models.backbones.recurrent import RecurrentOptions
from audiogen.models.gan import GAN, GANOptions, energy_score
from audiogen.models.vae import VAE, VAEOptions
from tests.models.rollouts import rollout

SMALL = Choice("gru", RecurrentOptions(16, 1, 0.0))
OPTIONS = {
    "vae": VAEOptions(SMALL, latents=4, width=32, dropout=0.0, warmup=50),
    "gan": GANOptions(SMALL, noise=4, width=32, rollout=4, dropout=0.0),
}


def sampling(temperature: float = 1.0, seed: int = 0) -> Sampling:
    return Sampling(temperature, generator=torch.Generator().manual_seed(seed))


def process(batch: int, time: int = 9) -> Tensor:
    """Bimodal frames, ``[batch, time, 3]``: two features are opposite and +-1, the third is constant."""
    side = torch.randint(2, (batch, time, 1)) * 2.0 - 1
    return torch.cat([side, -side, 0.5 + 0.0 * side], dim=-1) + 0.15 * torch.randn(batch, time, 3)


def trained(kind: str, steps: int, rate: float) -> Model:
    torch.manual_seed(0)
    model = MODELS[kind](3, OPTIONS[kind])
    optimizer = torch.optim.Adam(model.parameters(), rate, betas=(0.5, 0.9))
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(process(48))["loss"].backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module", params=["vae", "gan"])
def learned(request: pytest.FixtureRequest) -> Model:
    return trained(request.param, 250, 5e-3)


def test_rollouts_have_the_moments_of_the_source(learned: Model) -> None:
    torch.manual_seed(1)
    prompt = process(64)
    made, real = rollout(learned, prompt, 20, sampling())[:, 5:].flatten(0, 1), process(400).flatten(0, 1)
    torch.testing.assert_close(made.mean(0), real.mean(0), atol=0.25, rtol=0)
    torch.testing.assert_close(made.std(0), real.std(0), atol=0.25, rtol=0)
    assert float((made[:, 0] * made[:, 1]).mean()) < -0.6  # their correlation; -1 in the source
    untrained = MODELS["vae" if isinstance(learned, VAE) else "gan"](3, learned.options).eval()
    before = rollout(untrained, prompt, 20, sampling())[:, 5:].flatten(0, 1)
    assert float((before.mean(0) - real.mean(0)).norm()) > float((made.mean(0) - real.mean(0)).norm())


def test_samples_differ_and_spread_with_temperature(learned: Model) -> None:
    prompt = process(1).expand(256, -1, -1)
    spread = [float(rollout(learned, prompt, 1, sampling(t)).std(0).mean()) for t in (0.0, 0.3, 1.0)]
    assert spread[0] < 1e-5
    assert spread[0] < spread[1] < spread[2]
    assert not torch.equal(rollout(learned, prompt, 2, sampling()), rollout(learned, prompt, 2, sampling(seed=1)))


def test_reading_in_steps_equals_reading_at_once(learned: Model) -> None:
    frames = process(2)
    state = learned.start(frames[:, :6])
    for frame in frames[:, 6:].unbind(1):
        state = learned.read(state, frame)  # type: ignore[operator]
    torch.testing.assert_close(state[0], learned.start(frames)[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("learned", ["vae"], indirect=True)
def test_the_vae_uses_its_latents(learned: Model) -> None:
    with torch.no_grad():
        losses = learned.loss(process(64))
    assert float(losses["kl"]) > 0.3  # one bit, 0.69 nats, encodes the sign of a frame
    assert float(losses["loss"]) * 3 == pytest.approx(float(losses["nll"] + losses["kl"]), rel=0.2)


def test_the_kl_weight_rises() -> None:
    model = VAE(3, OPTIONS["vae"])
    before = model.kl_weight
    for _ in range(25):
        model.loss(process(2))
    assert before < 0.05
    assert model.kl_weight == pytest.approx(0.5, abs=0.02)
    assert model.eval().kl_weight == 1
    assert VAE(3, replace(OPTIONS["vae"], warmup=0)).kl_weight == 1


def test_each_loss_trains_one_network_only() -> None:
    model = GAN(3, OPTIONS["gan"])
    frames = process(8)
    prompt, real = frames[:, :5], frames[:, 5:]
    fake = model.free_run(prompt, 4)
    loss, r1 = model._discriminator_loss(prompt[:, -4:], real, fake.detach())
    (loss + r1).backward()
    assert all(weight.grad is None for weight in model.generator.parameters())
    assert all(weight.grad is not None for weight in model.discriminator.verdict.parameters())
    model.zero_grad()
    loss, matching = model._generator_loss(prompt[:, -4:], real, fake)
    (loss + matching).backward()
    assert all(weight.grad is None for weight in model.discriminator.parameters())
    assert all(weight.grad is not None for weight in model.generator.parameters())


def test_the_energy_score_is_minimal_for_the_true_distribution() -> None:
    torch.manual_seed(0)

    def score(shift: float, spread: float) -> float:
        draws = [shift + spread * torch.randn(20000, 2) for _ in range(2)]
        return float(energy_score(*draws, torch.randn(20000, 2)))

    assert score(0, 1) < min(score(0.5, 1), score(0, 0.5), score(0, 1.6))
