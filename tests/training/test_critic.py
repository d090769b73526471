"""The critic: it tells tunes from a Run's tails and from degenerate ones, is calibrated, and is a reward."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from audiogen.errors import InputError
from audiogen.experiment import Experiment, read_experiment
from audiogen.models import Sampling
from audiogen.run import Run
from audiogen.training.trainer import train
from audiogen.training.tunes.critic_data_module import CriticDataModule, Passages
from audiogen.training.tunes.rollouts import opening, sample_rollouts
from audiogen.tunes.metrics.detection import detection_auc
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.models.critic_network import CriticNetwork
from audiogen.tunes.models.token_model import TokenModel, TokenModelOptions
from audiogen.tunes.rewards import build_reward
from audiogen.tunes.rewards.critic import SIZES, CriticInput, CriticRun, critic_input, note_batch, note_features
from audiogen.tunes.rewards.surprise import SURPRISE_SIZE, surprise
from audiogen.tunes.tune import Tune
from tests.tune_fixtures import TICKS, melody, tune, wandering

CONFIGS = Path(__file__).parents[2] / "configs" / "midi"
BASE = (
    "representation={kind: midi, scheme: {kind: events, resolution: 8, velocities: 1, parts: 1}}",
    "model={kind: tokens, embedding: 8, backbone: {kind: gru, hidden: 16, layers: 1}}",
    "training={steps: 3, batch_size: 8, window: 48, warmup: 1, log_media_every: 0, validate_every: 3}",
    "augmentation={transposition: 0, tempo: 0}",
)
CRITIC = (
    "model={embedding: 12, dropout: 0, backbone: {kind: gru, hidden: 24, layers: 1, dropout: 0}}",
    "training={steps: 60, batch_size: 16, learning_rate: 0.01, warmup: 2, validate_every: 20, patience: 0}",
    "training={ema_decay: 0, checkpoint_every: 20, split_fractions: {validation: 0.3, test: 0.1}}",
    "fine_tuning={prompt_bars: 1, bars: 2, max_tokens: 60}",
)


def steps_of_scale(seed: int) -> Tune:
    """Eighths that go up and down a scale, one step at a time: what a person wrote, in this world."""
    random = np.random.default_rng(seed)
    scale = [pitch for pitch in range(55, 84) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]
    degrees = np.abs((np.arange(72) + int(random.integers(24))) % 24 - 12) + int(random.integers(3))
    return melody([scale[degree] for degree in degrees.tolist()], TICKS // 2)


NOTHING = CriticInput(np.zeros((1, len(SIZES)), np.int64), np.ones(1, bool), np.zeros(SURPRISE_SIZE, np.float32))


@dataclass(frozen=True)
class World:
    """A folder of tunes, a Run that has hardly learned from it, and a critic of the Run."""

    tunes: Path
    base: Run
    critic: CriticRun


def settings(*overrides: str) -> Experiment:
    return read_experiment(CONFIGS / "critic.yaml", (*CRITIC, *overrides))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("critic")
    (folder / "tunes").mkdir()
    for index in range(20):
        write_midi(folder / "tunes" / f"{index}.mid", steps_of_scale(index))
    fractions = "training.split_fractions={validation: 0.3, test: 0.1}"
    train(read_experiment(None, (*BASE, fractions)), folder / "tunes", folder / "base")
    base = Run.open(folder / "base")
    train(settings(), folder / "tunes", folder / "critic", base=base)
    return World(folder / "tunes", base, CriticRun.open(folder / "critic"))


def cut(whole: Tune, bars: int = 2) -> tuple[Tune, Tune]:
    """A prompt of one bar, and the bars after it."""
    prompt, longer = opening(whole, 1), opening(whole, 1 + bars)
    assert prompt is not None
    assert longer is not None
    return prompt, longer.between(prompt.end, longer.end)


def with_pitches(tail: Tune, pitches: np.ndarray) -> Tune:
    notes = tail.notes.copy()
    notes["pitch"] = pitches
    return replace(tail, notes=notes)


def test_it_tells_tunes_from_what_the_run_plays_and_from_random_notes(world: World):
    metrics = world.critic.metrics
    assert metrics["auc"] > 0.9
    assert metrics["auc_degenerate"] > 0.8
    reward = build_reward([f"critic:{world.critic.path}"])
    random = np.random.default_rng(5)
    real, noise = [], []
    for seed in range(200, 216):  # tunes that nothing was trained on
        prompt, tail = cut(steps_of_scale(seed))
        judge = reward.given(prompt, 2)
        real.append(judge(tail))
        noise.append(judge(with_pitches(tail, random.integers(55, 84, len(tail.notes)))))
    assert detection_auc(np.array(real), np.array(noise)) > 0.95
    assert np.mean(real) > 0.6
    assert np.mean(noise) < 0.2


def test_silence_and_length_do_not_deceive_it(world: World):
    reward = build_reward([f"critic:{world.critic.path}"])
    prompt, tail = cut(steps_of_scale(300), bars=2)
    _, longer = cut(steps_of_scale(300), bars=6)
    silent = tail.between(0, 0)
    assert reward.given(prompt, 2)(silent) == 0.0
    assert reward.given(prompt, 2)(tail.between(0, prompt.end + TICKS)) < 0.5 * reward.given(prompt, 2)(tail)
    assert reward.given(prompt, 2)(with_pitches(tail, tail.notes["pitch"][:1])) < 0.3
    assert abs(reward.given(prompt, 6)(longer) - reward.given(prompt, 2)(tail)) < 0.2
    for alone in (melody([]), melody([60]), melody([0, 127] * 8)):  # tails without a prompt
        assert 0 <= reward(alone) < 0.3
    repeated = with_pitches(longer, np.full(len(longer.notes), 60))
    assert reward.given(prompt, 6)(repeated) < 0.3


def test_a_split_needs_passages_of_each_kind(world: World):
    """Tails without notes are left out, and a Run may play few others."""
    prompt, tail = cut(steps_of_scale(400))
    one = critic_input(world.base, tail, prompt)
    assert Passages([one] * 2, [one] * 2, [one] * 2).are_enough
    assert not Passages([one] * 3, [one], [one] * 3).are_enough
    assert not Passages([one] * 3, [one] * 3, []).are_enough
    held_out = Passages([one] * 5, [one] * 2, [one] * 5)
    batch = CriticDataModule((held_out, held_out, None), {}, settings(), world.base).validation_batch()
    assert batch is not None
    written = batch[-1]
    assert len(written) == 6  # half of them written
    assert written.sum() == 3


def test_the_probabilities_are_calibrated():
    network = CriticNetwork(SIZES, SURPRISE_SIZE, TokenModelOptions())
    random = np.random.default_rng(0)
    truth = random.random(4000)
    written = random.random(4000) < truth
    # Three times too timid, and off by a half.
    scores = torch.from_numpy((np.log(truth / (1 - truth)) + 1.5) / 3).float()
    network.note_scores = lambda batch: scores  # type: ignore[method-assign]
    network.calibrate(note_batch([NOTHING] * 4000, written.tolist()), torch.full((4000,), 1 / 4000))
    assert float(network.weights[0]) == pytest.approx(3.0, abs=0.25)
    assert float(network.offset) == pytest.approx(-1.5, abs=0.2)
    chances = network.probabilities(note_batch([NOTHING] * 4000, written.tolist()))
    assert float((chances - torch.from_numpy(truth)).abs().mean()) < 0.03


def test_notes_that_mislead_are_left_out():
    network = CriticNetwork(SIZES, SURPRISE_SIZE, TokenModelOptions())
    network.note_scores = lambda batch: torch.linspace(0, 1, 100)  # type: ignore[method-assign]
    batch = note_batch([NOTHING] * 100, [True] * 50 + [False] * 50)
    network.calibrate(batch, torch.full((100,), 0.01))
    assert network.probabilities(batch).detach().numpy() == pytest.approx(0.5, abs=1e-3)
    batch = note_batch([NOTHING] * 100, [False] * 50 + [True] * 50)
    network.calibrate(batch, torch.full((100,), 0.01))
    assert 0.9 < float(network.probabilities(batch)[-1]) < 1  # separable, and yet it does not diverge


def test_the_surprise_counts_where_it_tells_something():
    """Neither low nor high surprise is written here; the notes say nothing."""
    network = CriticNetwork(SIZES, SURPRISE_SIZE, TokenModelOptions())
    network.note_scores = lambda batch: torch.zeros(len(batch.written))  # type: ignore[method-assign]
    random = np.random.default_rng(0)
    nats = np.concatenate([random.normal(2, 0.3, 100), random.normal(1, 0.3, 50), random.normal(6, 1, 50)])
    passages = [NOTHING._replace(surprise=np.full(SURPRISE_SIZE, value, np.float32)) for value in nats]
    batch = note_batch(passages, [True] * 100 + [False] * 100)
    network.calibrate(batch, torch.full((200,), 1 / 200))
    chances = network.probabilities(batch).detach().numpy()
    assert detection_auc(chances[:100], chances[100:150]) > 0.9
    assert detection_auc(chances[:100], chances[150:]) > 0.95


def test_features_are_the_same_in_every_key_and_count_from_the_prompt():
    prompt, tail = cut(wandering(3, 40))
    notes, judged = note_features(tail, prompt)
    higher, _ = note_features(tail.transposed(5), prompt.transposed(5))
    assert np.array_equal(notes, higher)
    assert judged.sum() == len(tail.notes)
    assert (notes >= 0).all()
    assert (notes < np.array(SIZES)).all()
    two = tune([(0, 24, 60, 80, 0), (0, 24, 64, 80, 1), (24, 48, 62, 80, 0)], 2)
    rows, _ = note_features(two, two.between(0, 0))
    assert rows[:, 6].tolist() == [0, 1, 0]
    assert rows[2, 0] == 24 + 2  # two semitones above the part's last note


def test_what_a_run_samples_surprises_it_by_the_entropy_of_its_predictions(world: World):
    prompt, tail = cut(steps_of_scale(500))
    tokenizer = world.base.representation.tokenizer  # type: ignore[attr-defined]
    assert isinstance(world.base.model, TokenModel)
    sampling = Sampling(generator=torch.Generator().manual_seed(0))
    played = sample_rollouts(world.base.model, tokenizer, [prompt] * 24, 2, 1, sampling, 60).tails
    excess = [surprise(world.base, each, prompt)[1] for each in played]
    assert abs(np.mean(excess)) < 0.15
    assert not surprise(world.base, tail.between(0, 0), prompt).any()
    assert np.isfinite(surprise(world.base, tail, tail.between(0, 0))).all()


def test_area_under_the_curve():
    assert detection_auc(np.array([3.0, 2.0]), np.array([1.0, 0.0])) == 1.0
    assert detection_auc(np.array([0.0]), np.array([1.0])) == 0.0
    assert detection_auc(np.array([1.0, 1.0]), np.array([1.0])) == 0.5
    assert detection_auc(np.array([1.0, 3.0]), np.array([2.0])) == 0.5


def test_what_is_no_critic_is_refused(world: World, tmp_path: Path):
    with pytest.raises(InputError, match="contains a critic, not a Model"):
        Run.open(world.critic.path or "")
    with pytest.raises(InputError, match="contains a Model, not a critic"):
        build_reward([f"critic:{world.base.path}"])
    with pytest.raises(InputError, match="not a critic"):
        build_reward([f"critic:{tmp_path}"])
    with pytest.raises(InputError, match="its folder is missing"):
        build_reward(["critic"])
    with pytest.raises(InputError, match="--run RUN"):
        train(settings(), world.tunes, tmp_path / "none")
