"""A Run: a trained thing on disk, opened without the trainer and without unpickling anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audiogen.config.choice import Choice
from audiogen.config.yaml_files import read_bounded, size_of
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, read_experiment
from audiogen.models import MODELS, Model
from audiogen.representation import REPRESENTATIONS, Representation
from audiogen.representation.mel_latents import MelOptions
from audiogen.tensors import layout_in, layout_of, read_tensors, require_layout
from audiogen.text_files import dump_json, write_text
from audiogen.vocoders.registry import check as check_vocoder
from audiogen.vocoders.registry import find as find_vocoder

CONFIG, WEIGHTS, STATISTICS, METRICS = (
    "config.yaml",
    "model.safetensors",
    "statistics.safetensors",
    "metrics.json",
)
MOST_METRICS = 1 << 26  # bytes; the part of each recording is told


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
    def open(cls, folder: Path | str, allow_external_weights: bool = False, with_vocoder: bool = True) -> Run:
        """Read a Run, whoever it is from: nothing in it is executed, nothing outside of its folder is read, nothing is
        downloaded, and its tensors are compared with its configuration before memory is taken for them.

        Args:
            folder: of the Run.
            allow_external_weights: whether its configuration may name weights elsewhere, on this machine or on the
                Hugging Face hub, and whether its files may be links out of the folder.
            with_vocoder: whether its vocoder will be used; if not, nothing is asked of it.

        Raises:
            InputError: a file is missing, lies outside of the folder, or does not fit the configuration, or its vocoder
                not its frames, or wants weights from elsewhere.
        """
        from safetensors import SafetensorError

        folder = Path(folder)
        inside = None if allow_external_weights else folder
        if (folder / CONFIG).is_file() and read_experiment(folder / CONFIG, inside=inside).training.task == "vocoder":
            cure = "render with it: vocoder.kind=neural, weights=FOLDER"
            raise InputError(folder, "it holds a vocoder, no Model", cure)
        for name in (CONFIG, WEIGHTS, STATISTICS):
            if not (folder / name).is_file():
                raise InputError(folder, f"it is no Run: {name} is missing", "name a folder that `audiogen train` made")
        if inside is not None:
            _require_inside(folder)
        experiment = read_experiment(folder / CONFIG, inside=inside)
        heard = experiment.representation.options
        if with_vocoder and isinstance(heard, MelOptions):
            experiment = replace(experiment, vocoder=own_vocoder(experiment.vocoder, folder, allow_external_weights))
            check_vocoder(experiment.vocoder.kind, heard.spec, experiment.vocoder.options)
        try:
            kind = experiment.representation
            layout = layout_in(folder / STATISTICS)
            REPRESENTATIONS[kind.kind].require_layout(kind.options, layout)
            statistics = read_tensors(folder / STATISTICS, layout)
            representation = REPRESENTATIONS[kind.kind].from_tensors(kind.options, statistics)
            layout = layout_in(folder / WEIGHTS)
            require_layout(layout, layout_of(lambda: _made(experiment, representation)))
            model = _made(experiment, representation)
            model.load_state_dict(read_tensors(folder / WEIGHTS, layout))
        except (SafetensorError, RuntimeError, KeyError, ValueError, ZeroDivisionError) as error:
            raise InputError(folder, f"its weights do not fit its {CONFIG} ({error})", "train it again") from error
        return cls(experiment, representation, model.eval(), _read_metrics(folder / METRICS), folder)


ALLOW = "--allow-external-weights (or Run.open(..., allow_external_weights=True)) allows it, if you trust the Run"


def _require_inside(folder: Path) -> None:
    """Raise an InputError for a file of a Run that is a link out of its folder."""
    for name in (CONFIG, WEIGHTS, STATISTICS, METRICS):
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            place = (folder / name).resolve()
            raise InputError(folder, f"its {name} is a link out of it, to {place} ({size_of(place)})", ALLOW)


def own_vocoder(vocoder: Choice, folder: Path, allow: bool = False) -> Choice:
    """The vocoder that a configuration in ``folder`` names, its weights found in that folder.

    Args:
        vocoder: as it is configured.
        folder: what its weights must lie in, links followed; they are looked for from there, too.
        allow: whether they may lie elsewhere, or have to be downloaded.

    Raises:
        InputError: they do; the message says where, and how large they are where that is known.
    """
    options = vocoder.options
    if not getattr(options, "weights", ""):
        return vocoder  # it has none, or those that ship
    kind = find_vocoder(vocoder.kind)
    if address := kind.download_address(options):
        if allow:
            return vocoder
        raise InputError(folder, f"its vocoder {vocoder.kind} downloads {address} (of unknown size)", ALLOW)
    for path in (_expanded(options.weights), folder / options.weights):
        files = kind.weight_files(path)
        if all(file.is_file() and file.resolve().is_relative_to(folder.resolve()) for file in files):
            return replace(vocoder, options=replace(options, weights=str(path)))
    if allow:
        return vocoder
    place = _expanded(options.weights).resolve()
    raise InputError(
        folder, f"its vocoder {vocoder.kind} reads weights outside of it, {place} ({size_of(place)})", ALLOW
    )


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # the home of nobody
        return Path(path)


def _read_metrics(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = read_bounded(path, MOST_METRICS, "train it again")
    try:
        metrics = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"it is damaged ({error})", "train it again") from error
    if not isinstance(metrics, dict):
        raise InputError(path, "it is damaged (it holds no mapping)", "train it again")
    return metrics


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}")


def new_model(experiment: Experiment, representation: Representation) -> Model:
    """An untrained Model of the experiment, for frames of the representation.

    Raises:
        InputError: it would take more memory than `audiogen.tensors.MOST_BYTES`.
    """
    try:
        layout_of(lambda: _made(experiment, representation))
    except ValueError as error:
        raise InputError(f"model {experiment.model.kind}", str(error), "ask for fewer or smaller layers") from error
    return _made(experiment, representation)


def _made(experiment: Experiment, representation: Representation) -> Model:
    kind, options = MODELS[experiment.model.kind], experiment.model.options
    if representation.tokens:
        return kind(representation.features, options, representation.vocabulary)
    return kind(representation.features, options)
