"""audiogen: continues recordings and tunes.

    >>> import audiogen
    >>> rain = audiogen.read("rain.wav")
    >>> longer = audiogen.continue_audio(rain.samples, rain.sample_rate, seconds=60)

The public names are imported when they are first used, so that ``import audiogen`` and ``audiogen --help`` are instant.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # as `typing.TYPE_CHECKING`, whose import would take ten times as long as all else here
if TYPE_CHECKING:
    from audiogen.api.evaluation import evaluate as evaluate
    from audiogen.api.evaluation import vocode as vocode
    from audiogen.api.gaps import fill as fill
    from audiogen.api.gaps import fill_recording as fill_recording
    from audiogen.api.inputs import read_experiment as read_experiment
    from audiogen.api.results import Continuation as Continuation
    from audiogen.api.results import Filling as Filling
    from audiogen.api.results import TuneContinuation as TuneContinuation
    from audiogen.api.runs import train as train
    from audiogen.api.sound import choose_run as choose_run
    from audiogen.api.sound import continue_audio as continue_audio
    from audiogen.api.sound import continue_recording as continue_recording
    from audiogen.api.sound import stream as stream
    from audiogen.api.takes import TakeSet as TakeSet
    from audiogen.api.takes import loops as loops
    from audiogen.api.takes import take_set as take_set
    from audiogen.api.tunes import continue_tune as continue_tune
    from audiogen.api.tunes import read_midi as read_midi
    from audiogen.api.tunes import write_midi as write_midi
    from audiogen.audio import AudioWarning as AudioWarning
    from audiogen.audio import Recording as Recording
    from audiogen.audio import read as read
    from audiogen.audio import write as write
    from audiogen.errors import InputError as InputError
    from audiogen.experiment import Experiment as Experiment
    from audiogen.metrics.evaluation import Evaluation as Evaluation
    from audiogen.progress import ProgressCallback as ProgressCallback
    from audiogen.run import Run as Run
    from audiogen.sound.run_mixture import RunMixture as RunMixture
    from audiogen.tunes.tune import Tune as Tune

__version__ = "0.1.0"

_HOMES = {
    # continue, fill, loop
    "continue_audio": "audiogen.api.sound",
    "stream": "audiogen.api.sound",
    "continue_recording": "audiogen.api.sound",
    "continue_tune": "audiogen.api.tunes",
    "fill": "audiogen.api.gaps",
    "fill_recording": "audiogen.api.gaps",
    "loops": "audiogen.api.takes",
    "take_set": "audiogen.api.takes",
    "Continuation": "audiogen.api.results",
    "Filling": "audiogen.api.results",
    "TakeSet": "audiogen.api.takes",
    "TuneContinuation": "audiogen.api.results",
    # train
    "train": "audiogen.api.runs",
    "choose_run": "audiogen.api.sound",
    "read_experiment": "audiogen.api.inputs",
    "Experiment": "audiogen.experiment",
    "Run": "audiogen.run",
    "RunMixture": "audiogen.sound.run_mixture",
    # evaluate and resynthesise
    "evaluate": "audiogen.api.evaluation",
    "Evaluation": "audiogen.metrics.evaluation",
    "vocode": "audiogen.api.evaluation",
    # files
    "Recording": "audiogen.audio",
    "read": "audiogen.audio",
    "write": "audiogen.audio",
    "Tune": "audiogen.tunes.tune",
    "read_midi": "audiogen.api.tunes",
    "write_midi": "audiogen.api.tunes",
    # errors, warnings, progress
    "InputError": "audiogen.errors",
    "AudioWarning": "audiogen.audio",
    "ProgressCallback": "audiogen.progress",
}

__all__ = [  # noqa: PLE0604 - the names of _HOMES are strings
    "__version__",
    *_HOMES,
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'audiogen' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
