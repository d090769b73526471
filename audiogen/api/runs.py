"""Train from Python."""

from __future__ import annotations

from pathlib import Path

from audiogen.api.inputs import CONFIG, FilePath, require_budget, to_experiment, to_single_run
from audiogen.api.session import session
from audiogen.audio import Recording, read
from audiogen.errors import InputError, require_flag
from audiogen.experiment import Experiment
from audiogen.file_names import is_midi, to_path
from audiogen.progress import ProgressCallback
from audiogen.run import Run
from audiogen.training import trainer
from audiogen.tunes.tune import Tune


def train(
    config: Experiment | FilePath,
    data: Recording | Tune | FilePath,
    output: FilePath | None = None,
    *,
    base: Run | FilePath | None = None,
    budget: float | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Run:
    """Train a Model, as ``audiogen train`` does.

    Args:
        config: Experiment, name of a shipped configuration (``"mel/lstm-flow"``) or YAML file.
        data: for sound, a Recording or an audio file (split in time), or a folder of recordings or a cache (split by
            recording); for tunes, a Tune or a MIDI file (split in time), or a folder of tunes (split by tune).
        output: folder of the Run, its checkpoints and TensorBoard events, which replace those of an earlier Run there;
            None keeps the Run in memory.
        base: Run to fine-tune, or its folder; its representation and model replace those of ``config``.
        budget: time limit in seconds; None stops by the configuration's steps and early stopping alone.
        resume: whether to continue from the last checkpoint in ``output``, if there is one.
        device: "auto", "cpu" or "cuda".
        progress: called as ``progress(done, total, label)``; None draws bars on a terminal.

    Returns:
        The Run; its ``metrics`` hold steps, losses, seconds and what ended the training.

    Raises:
        InputError: unusable data, a value out of range, a device that is not there, or a checkpoint of another
            experiment.

    Example:
        >>> run = audiogen.train("mel/gru-mixture", "recordings/", "runs/gru", budget=600)
        >>> run.metrics["validation_loss"]
    """
    experiment = to_experiment(to_path("config", config, CONFIG) if config is None else config)
    start = None if base is None else to_single_run(base, "base", with_vocoder=False)
    folder = None if output is None else to_path("output", output, "the name of a folder")
    require_budget(budget)
    require_flag("resume", resume)
    if folder is not None and folder.is_file():
        raise InputError(folder, "it is a file", "name a folder for the Run")
    with session(progress):
        return trainer.train(experiment, _source(data), folder, budget, resume, device, start)


def _source(data: Recording | Tune | FilePath) -> Recording | Tune | Path:
    """Training data as the trainer takes them: an audio file is read."""
    if isinstance(data, (Recording, Tune)):
        return data
    path = to_path("data", data, "a Recording, a Tune, or the name of a file or folder")
    return read(path) if path.is_file() and not is_midi(path) else path
