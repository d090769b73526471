"""A Run: a trained Model on disk, opened without the trainer and without unpickling anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audiogen.config.choice import Choice
from audiogen.config.yaml_files import read_bounded, size_of
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, read_experiment
from audiogen.file_names import to_path
from audiogen.models import MODELS, Model
from audiogen.representation import REPRESENTATIONS, Representation
from audiogen.representation.mel_latents import MelLatents, MelOptions
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
MAX_METRICS_BYTES = 1 << 26  # the split of each recording is listed


@dataclass
class Run:
    """A Model, the Representation of its frames, and the Experiment that made them.

    Args:
        experiment: the whole configuration.
        representation: fitted on the training split.
        model: in evaluation mode.
        metrics: plain numbers and strings: losses, steps, seconds.
        path: folder that it was opened from or saved to, if any.
    """

    experiment: Experiment
    representation: Representation
    model: Model
    metrics: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def save(self, folder: Path | str) -> None:
        """Write the Run's files into a folder, each atomically, and the metrics last."""
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
        """Open a Run, which need not be trusted.

        Nothing in it is executed, and its tensors are compared with its configuration before memory is allocated for
        them. Unless ``allow_external_weights``, nothing outside of its folder is read and nothing is downloaded.

        Args:
            folder: of the Run.
            allow_external_weights: whether its configuration may name weights elsewhere, on this machine or on the
                Hugging Face hub, and whether its files may be links out of the folder.
            with_vocoder: whether to check its vocoder, for rendering.

        Raises:
            InputError: a file that is missing, lies outside of the folder or does not fit the configuration, or a
                vocoder that does not fit the frames or needs weights from elsewhere.
        """
        from safetensors import SafetensorError

        folder = to_path("run", folder, "the name of a Run's folder")
        if not folder.is_dir():
            cause = "it is a file, not the folder of a Run" if folder.exists() else "there is no such folder"
            raise InputError(folder, cause, "name a folder that `audiogen train` wrote")
        inside = None if allow_external_weights else folder
        task = read_experiment(folder / CONFIG, inside=inside).training.task if (folder / CONFIG).is_file() else ""
        if task == "vocoder":
            cure = "use it for rendering: vocoder.kind=neural, weights=FOLDER"
            raise InputError(folder, "it contains a vocoder, not a Model", cure)
        if task == "critic":
            raise InputError(folder, "it contains a critic, not a Model", "use it as a reward: critic:FOLDER")
        for name in (CONFIG, WEIGHTS, STATISTICS):
            if not (folder / name).is_file():
                raise InputError(
                    folder, f"it is not a Run: {name} is missing", "name a folder that `audiogen train` wrote"
                )
        if inside is not None:
            _require_inside(folder)
        experiment = read_experiment(folder / CONFIG, inside=inside)
        analysis = experiment.representation.options
        if with_vocoder and isinstance(analysis, MelOptions):
            experiment = replace(experiment, vocoder=own_vocoder(experiment.vocoder, folder, allow_external_weights))
            check_vocoder(experiment.vocoder.kind, analysis.spec, experiment.vocoder.options)
        try:
            kind = experiment.representation
            layout = layout_in(folder / STATISTICS)
            REPRESENTATIONS[kind.kind].require_layout(kind.options, layout)
            statistics = read_tensors(folder / STATISTICS, layout)
            representation = REPRESENTATIONS[kind.kind].from_tensors(kind.options, statistics)
            layout = layout_in(folder / WEIGHTS)
            require_layout(layout, layout_of(lambda: _build(experiment, representation)))
            model = _build(experiment, representation)
            model.load_state_dict(read_tensors(folder / WEIGHTS, layout))
        except (SafetensorError, RuntimeError, KeyError, ValueError, ZeroDivisionError) as error:
            raise InputError(folder, f"its weights do not fit its {CONFIG} ({error})", "train it again") from error
        return cls(experiment, representation, model.eval(), _read_metrics(folder / METRICS), folder)


def mel_representation(run: Run) -> MelLatents:
    """The representation of a Run that predicts sound.

    Raises:
        InputError: it predicts notes.
    """
    if not isinstance(run.representation, MelLatents):
        raise InputError(run.path or "a Run", "it predicts notes, not sound", "name a Run of the mel representation")
    return run.representation


ALLOW = "if you trust the Run, allow it: --allow-external-weights, or Run.open(..., allow_external_weights=True)"


def _require_inside(folder: Path) -> None:
    """Raise an InputError if a file of a Run is a link out of its folder."""
    for name in (CONFIG, WEIGHTS, STATISTICS, METRICS):
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            target = (folder / name).resolve()
            raise InputError(folder, f"its {name} is a link to {target} ({size_of(target)})", ALLOW)


def own_vocoder(vocoder: Choice, folder: Path, allow: bool = False) -> Choice:
    """The vocoder that a configuration in a folder names, with the path of its weights resolved.

    Args:
        vocoder: as configured.
        folder: that its weights must lie in, links resolved; relative paths are also relative to it.
        allow: whether the weights may lie elsewhere, or have to be downloaded.

    Raises:
        InputError: they do, and it is not allowed; the message says where they are and how large.
    """
    options = vocoder.options
    if not getattr(options, "weights", ""):
        return vocoder  # without weights, or with the shipped ones
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
    elsewhere = _expanded(options.weights).resolve()
    cause = f"its vocoder {vocoder.kind} reads weights outside of the folder, {elsewhere} ({size_of(elsewhere)})"
    raise InputError(folder, cause, ALLOW)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # ~ of an unknown user
        return Path(path)


def _read_metrics(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = read_bounded(path, MAX_METRICS_BYTES, "train it again")
    try:
        metrics = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"it is damaged ({error})", "train it again") from error
    if not isinstance(metrics, dict):
        raise InputError(path, "it is damaged (it is not a mapping)", "train it again")
    return metrics


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it contains {name}")


def new_model(experiment: Experiment, representation: Representation) -> Model:
    """An untrained Model of an experiment, for frames of a representation.

    Raises:
        InputError: its weights would exceed `audiogen.tensors.MAX_BYTES`.
    """
    try:
        layout_of(lambda: _build(experiment, representation))
    except ValueError as error:
        raise InputError(f"model {experiment.model.kind}", str(error), "configure fewer or smaller layers") from error
    return _build(experiment, representation)


def _build(experiment: Experiment, representation: Representation) -> Model:
    kind, options = MODELS[experiment.model.kind], experiment.model.options
    if representation.tokens:
        return kind(representation.features, options, representation.vocabulary)
    return kind(representation.features, options)
