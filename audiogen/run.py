"""A Run: a trained thing on disk, opened without the trainer and without unpickling anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_json, dump_yaml, read_experiment, write_text
from audiogen.models import MODELS, Model
from audiogen.representation import REPRESENTATIONS, Representation
from audiogen.representation.mel_latents import MelOptions
from audiogen.vocoders.table import check as check_vocoder

CONFIG, WEIGHTS, STATISTICS, METRICS = (
    "config.yaml",
    "model.safetensors",
    "statistics.safetensors",
    "metrics.json",
)


@dataclass
class Run:
    """A Model, the Representation of its frames, and the Experiment that made them.

    Args:
        experiment: everything that was configured.
        representation: fitted on the training part.
        model: in evaluation mode.
        metrics: plain numbers and strings: losses, steps taken, seconds.
        path: folder that it was opened from, if any.
    """

    experiment: Experiment
    representation: Representation
    model: Model
    metrics: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def save(self, folder: Path | str) -> None:
        """Write the Run's files into ``folder``, each whole or not at all, and its metrics last."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, tensors in (
            (WEIGHTS, self.model.state_dict()),
            (STATISTICS, self.representation.tensors()),
        ):
            part = folder / (name + ".part")
            save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, part)
            part.replace(folder / name)
        write_text(folder / CONFIG, dump_yaml(self.experiment))
        write_text(folder / METRICS, dump_json(self.metrics))

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """Read a Run.

        Raises:
            InputError: a file is missing or does not fit the configuration, or its vocoder not its frames.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder)
        _refuse_vocoders(folder)
        for name in (CONFIG, WEIGHTS, STATISTICS):
            if not (folder / name).is_file():
                raise InputError(folder, f"it is no Run: {name} is missing", "name a folder that `audiogen train` made")
        experiment = read_experiment(folder / CONFIG)
        heard = experiment.representation.options
        if isinstance(heard, MelOptions):
            check_vocoder(experiment.vocoder.kind, heard.spec, experiment.vocoder.options)
        try:
            statistics, weights = load_file(folder / STATISTICS), load_file(folder / WEIGHTS)
            kind = experiment.representation
            representation = REPRESENTATIONS[kind.kind].from_tensors(kind.options, statistics)
            model = new_model(experiment, representation)
            model.load_state_dict(weights)
        except (SafetensorError, RuntimeError, KeyError, ValueError, ZeroDivisionError) as error:
            raise InputError(folder, f"its weights do not fit its {CONFIG} ({error})", "train it again") from error
        return cls(experiment, representation, model.eval(), _read_metrics(folder / METRICS), folder)


def _refuse_vocoders(folder: Path) -> None:
    """Raise an InputError if ``folder`` is that of a trained vocoder."""
    if (folder / CONFIG).is_file() and read_experiment(folder / CONFIG).training.task == "vocoder":
        raise InputError(folder, "it holds a vocoder, no Model", "render with it: vocoder.kind=neural, weights=FOLDER")


def _read_metrics(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(path, f"it is damaged ({error})", "train it again") from error


def new_model(experiment: Experiment, representation: Representation) -> Model:
    """An untrained Model of the experiment, for frames of the representation."""
    kind, options = MODELS[experiment.model.kind], experiment.model.options
    if representation.tokens:
        return kind(representation.features, options, representation.vocabulary)
    return kind(representation.features, options)
