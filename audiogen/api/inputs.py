"""What API calls accept in several forms: configurations by name, Runs by folder, recordings by file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, overload

from audiogen.audio import Recording, open_recording, read
from audiogen.config.shipped import find_config
from audiogen.devices import pick_device
from audiogen.errors import InputError, require_number
from audiogen.experiment import Experiment
from audiogen.experiment import read_experiment as read_file
from audiogen.file_names import to_path
from audiogen.run import Run
from audiogen.sound.prompt_analysis import MATERIAL_SECONDS
from audiogen.sound.run_mixture import RunMixture

FilePath: TypeAlias = str | Path
AnyRun: TypeAlias = Run | RunMixture
SOUND = "a Recording, such as Recording(samples, sample_rate), or the name of a file"
CONFIG = "an Experiment, the name of a shipped configuration, or a YAML file"
RUN = "a Run, or the name of its folder"


def read_experiment(config: FilePath | None = None, overrides: Sequence[str] = ()) -> Experiment:
    """Read a configuration.

    Args:
        config: name of a shipped configuration (``"mel/lstm-flow"``; ``audiogen configs`` lists them) or a YAML file;
            None for the defaults.
        overrides: ``"key=value"``, applied on top, such as ``"training.steps=2000"``.

    Raises:
        InputError: there is no such file or name; an unknown key or kind (the message lists the choices); a value of a
            wrong type or out of range.

    Example:
        >>> experiment = audiogen.read_experiment("mel/gru-mixture", ["training.steps=500"])
    """
    if isinstance(overrides, str):
        raise InputError("overrides", f"{overrides!r} is a single text", f"give a list: [{overrides!r}]")
    return read_file(None if config is None else find_config(to_path("config", config, CONFIG)), tuple(overrides or ()))


@overload
def to_experiment(config: Experiment | FilePath) -> Experiment: ...


@overload
def to_experiment(config: Experiment | FilePath | None) -> Experiment | None: ...


def to_experiment(config: Experiment | FilePath | None) -> Experiment | None:
    """An Experiment as it is, or the one of a shipped configuration's name or a YAML file; None for none."""
    return config if config is None or isinstance(config, Experiment) else read_experiment(config)


def to_recording(recording: Recording | FilePath, name: str = "recording") -> Recording:
    """A Recording as it is, or the one in a file; ``name`` is that of the argument."""
    return recording if isinstance(recording, Recording) else read(to_path(name, recording, SOUND))


def to_prompt(recording: Recording | FilePath, name: str = "prompt") -> Recording:
    """The same for a recording that is continued: of a long file only the end is held."""
    if isinstance(recording, Recording):
        return recording
    return open_recording(to_path(name, recording, SOUND), None, None, MATERIAL_SECONDS)


def require_budget(budget: float | None) -> None:
    """Raise an InputError for a training's time limit that is no number, negative or NaN."""
    if budget is not None:
        require_number("budget", budget)
        if math.isnan(budget) or budget < 0:
            raise InputError("budget", f"{budget:g} is out of range", "give seconds, from 0 on")


def to_run(
    run: AnyRun | FilePath | None, config: Experiment | FilePath | None, budget: float | None, device: str
) -> AnyRun | None:
    """A Run or a mixture of Runs as it is, or the Run in a folder; None if a Model is to be trained or chosen.

    Raises:
        InputError: settings of a training are given beside a Run, or are of a wrong type or out of range.
    """
    require_budget(budget)
    pick_device(device)
    if run is not None and (config is not None or budget is not None):
        raise InputError("run", "a Run is trained already", "leave out config and budget")
    return run if run is None or isinstance(run, RunMixture) else to_single_run(run)


def to_single_run(run: Run | FilePath, name: str = "run", with_vocoder: bool = True) -> Run:
    """A Run as it is, or the one in a folder; ``name`` is that of the argument."""
    return run if isinstance(run, Run) else Run.open(to_path(name, run, RUN), with_vocoder=with_vocoder)
