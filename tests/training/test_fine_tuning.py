"""Fine-tuning from end to end: the reward rises, the reference holds, and a resumed training is the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from audiogen.cli.messages import Interrupted
from audiogen.cli.train import train as train_command
from audiogen.errors import InputError
from audiogen.experiment import Experiment, read_experiment
from audiogen.run import Run
from audiogen.training.trainer import train
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.tune import Tune
from tests.training.interruption import Killed, stop_at
from tests.tune_fixtures import wandering

CONFIGS = Path(__file__).parents[2] / "configs" / "midi"
BASE = (
    "representation={kind: midi, scheme: {kind: events, resolution: 8, velocities: 1, parts: 1}}",
    "model={kind: tokens, embedding: 8, dropout: 0.2, backbone: {kind: gru, hidden: 24, layers: 1}}",
    "training={steps: 40, batch_size: 8, window: 48, warmup: 2, validate_every: 40, log_media_every: 0}",
    "training={learning_rate: 0.02, patience: 0}",
    "augmentation={transposition: 0, tempo: 0}",
)
TINY = (
    f"fine_tuning.reward=[{__name__}:low]",
    "fine_tuning={prompt_bars: 1, bars: 1, group: 6, max_tokens: 24}",
    "training={steps: 8, batch_size: 6, warmup: 1, learning_rate: 0.01, log_media_every: 0}",
    "training={validate_every: 4, checkpoint_every: 4}",
)


def low(tail: Tune) -> float:
    """Fraction of the notes below G4, and nothing for silence: plain, so that little training shows."""
    return float((tail.notes["pitch"] < 67).mean()) if len(tail.notes) else 0.0


@dataclass(frozen=True)
class World:
    """A folder of tunes and a Run that was trained on it."""

    tunes: Path
    base: Run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("fine-tuning")
    (folder / "tunes").mkdir()
    for index in range(10):
        write_midi(folder / "tunes" / f"{index}.mid", wandering(index, 30))
    train(read_experiment(None, BASE), folder / "tunes", folder / "base")
    return World(folder / "tunes", Run.open(folder / "base"))


def experiment(*overrides: str, config: str = "reinforce") -> Experiment:
    return read_experiment(CONFIGS / f"{config}.yaml", (*TINY, *overrides))


def scalars(run: Path, tag: str) -> list[float]:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [event.value for event in events.Scalars(tag)]


def same(one: Run, other: Run) -> bool:
    first, second = one.model.state_dict(), other.model.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_reward_rises_and_the_run_is_one_that_continues(world: World, tmp_path: Path):
    before = {name: value.clone() for name, value in world.base.model.state_dict().items()}
    settings = ("training.steps=10", "training.validate_every=10", "fine_tuning.kl_target=0")
    train(experiment(*settings, "training.log_media_every=10"), world.tunes, tmp_path / "run", base=world.base)
    rewards = scalars(tmp_path / "run", "train/reward_total")
    assert rewards[-1] > rewards[0] + 0.15
    for tag in ("kl", "entropy", "diversity", "kl_weight", f"reward_{__name__}:low"):
        assert scalars(tmp_path / "run", f"train/{tag}")
    assert scalars(tmp_path / "run", "train/kl")[-1] > 0.01
    assert all(torch.equal(before[name], value) for name, value in world.base.model.state_dict().items())
    made = Run.open(tmp_path / "run")
    assert made.experiment.fine_tuning.base == str(world.base.path)
    assert made.experiment.fine_tuning.reward == (f"{__name__}:low",)
    assert made.metrics["reward"] == f"{__name__}:low"
    assert made.metrics["split"] == world.base.metrics["split"]
    assert made.model.state_dict().keys() == world.base.model.state_dict().keys()
    assert len(read_midi(tmp_path / "run" / "tunes" / "000010-continued.mid").notes) > 4
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert {"audio/continued", "audio/base"} <= set(events.Tags()["audio"])


def test_a_heavy_divergence_holds_the_policy_near_the_base(world: World):
    free, held = (
        train(
            experiment("training.steps=8", "fine_tuning.kl_target=0", f"fine_tuning.kl_weight={weight}"),
            world.tunes,
            base=world.base,
        )
        for weight in (0.0, 5.0)
    )
    assert far(held, world.base) < far(free, world.base) / 2


def far(one: Run, other: Run) -> float:
    """Mean absolute change of the weights."""
    theirs = other.model.state_dict()
    changes = [(value - theirs[name]).abs().mean() for name, value in one.model.state_dict().items()]
    return float(torch.stack(changes).mean())


def test_preferences_and_grpo_raise_the_reward(world: World, tmp_path: Path):
    settings = ("training.steps=12", "training.validate_every=12", "training.checkpoint_every=12")
    grpo = ("fine_tuning.algorithm=grpo", "fine_tuning.rollout_steps=2", "fine_tuning.kl_target=0")
    train(experiment(*settings, *grpo), world.tunes, tmp_path / "grpo", base=world.base)
    train(experiment(*settings, config="preference"), world.tunes, tmp_path / "dpo", base=world.base)
    for name in ("grpo", "dpo"):
        rewards = scalars(tmp_path / name, "train/reward_total")
        assert rewards[-1] > rewards[0] + 0.1, name
    assert scalars(tmp_path / "dpo", "train/margin")[-1] > 0


def test_preferences_that_are_resumed_end_where_uninterrupted_ones_do(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = experiment(config="preference")
    whole = train(settings, world.tunes, tmp_path / "whole", base=world.base)
    with monkeypatch.context() as patch:
        stop_at(patch, 6, Killed())
        with pytest.raises(Killed):
            train(settings, world.tunes, tmp_path / "cut", base=world.base)
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    torch.manual_seed(123)  # the state of the generators must not matter
    resumed = train(settings, world.tunes, tmp_path / "cut", resume=True, base=world.base)
    assert same(whole, resumed)
    assert whole.metrics["kl_weight"] == resumed.metrics["kl_weight"]
    assert not same(whole, world.base)


def test_the_command_resumes_after_ctrl_c(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    arguments = ["midi/reinforce", "--run", str(world.base.path), "--data", str(world.tunes), "--device", "cpu", *TINY]
    invoke = partial(CliRunner().invoke, train_command, catch_exceptions=False, standalone_mode=False)
    assert invoke([*arguments, "-o", str(tmp_path / "whole")]).exit_code == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 6, KeyboardInterrupt())
        with pytest.raises(Interrupted) as raised:
            invoke([*arguments, "-o", str(tmp_path / "cut")])
    assert raised.value.cure == "--resume continues from it"
    assert invoke([*arguments, "-o", str(tmp_path / "cut"), "--resume"]).exit_code == 0
    assert same(Run.open(tmp_path / "whole"), Run.open(tmp_path / "cut"))


def test_what_cannot_work_is_refused(world: World, tmp_path: Path):
    with pytest.raises(InputError, match="--run RUN"):
        train(experiment(), world.tunes)
    with pytest.raises(InputError, match=r"fine_tuning\.reward: there is none"):
        train(experiment("fine_tuning.reward=[]"), world.tunes, base=world.base)
    with pytest.raises(InputError, match="there is no such reward"):
        train(experiment("fine_tuning.reward=[no_such]"), world.tunes, base=world.base)
    with pytest.raises(InputError, match=r"training\.validate_every: it is no multiple"):
        train(experiment("fine_tuning.rollout_steps=3"), world.tunes, base=world.base)
    with pytest.raises(InputError, match="no such key"):
        experiment("fine_tuning.kl=1")
    with pytest.raises(InputError, match="group must be at least 2"):
        experiment("fine_tuning.group=1")
    write_midi(tmp_path / "stranger.mid", wandering(99, 30))
    with pytest.raises(InputError, match="none of its tunes is in the training split"):
        train(experiment(), tmp_path, base=world.base)
    with pytest.raises(InputError, match="no tune is longer than 90 bars"):
        train(experiment("fine_tuning.prompt_bars=90"), world.tunes, base=world.base)
