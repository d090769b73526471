"""Uses every public name of audiogen as a user would; `mypy --strict` must accept it. Never run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import audiogen


def report(done: float, total: float, label: str) -> None:
    print(f"{label}: {done / total:.0%}")


def sound() -> np.ndarray:
    callback: audiogen.ProgressCallback = report
    recording: audiogen.Recording = audiogen.read("rain.wav")
    own = audiogen.Recording(torch.zeros(2, 44100, dtype=torch.float64), 44100)
    run: audiogen.Run = audiogen.choose_run(own, budget=0, progress=callback)
    mixture = audiogen.RunMixture((run, audiogen.Run.open("runs/rain")), (0.7, 0.3))
    longer: np.ndarray = audiogen.continue_audio(recording.samples, recording.sample_rate, 60, run=mixture)
    tensor: torch.Tensor = audiogen.continue_audio(torch.zeros(44100), 44100, seconds=2.5, tail_only=True)
    made: audiogen.Continuation = audiogen.continue_recording("rain.wav", Path("out.wav"), seed=7, loop=True)
    distance: float | None = made.texture_distance
    print(made.join_sample, made.as_dict()["seed"], made.to_json(), distance, tensor.shape)
    audiogen.write("copy.wav", audiogen.vocode(made.read(), vocoder="griffin_lim"))
    for block in audiogen.stream(recording.samples, recording.sample_rate):
        longer = np.concatenate([longer, block], axis=-1)
    return longer


def editing() -> list[torch.Tensor]:
    samples = torch.zeros(2, 44100)
    clean: torch.Tensor = audiogen.fill(samples, 44100, start=0.2, stop=0.4)
    earlier: np.ndarray = audiogen.continue_audio(samples.numpy(), 44100, seconds=8, backward=True)
    filled: audiogen.Filling = audiogen.fill_recording("a.wav", Path("whole.wav"), "b.wav", seconds=4)
    print(filled.start, filled.stop, filled.seams["end"], filled.read().seconds, earlier.shape)
    found: audiogen.TakeSet[torch.Tensor] = audiogen.take_set(clean, 44100, variations=3, loudness=-23.0)
    if found.report is not None:
        print(found.report.nearest.takes, found.report.nearest.similarity)
    return [*audiogen.loops(samples, 44100, (10, 30.5)), *found.takes]


def research(data: Path) -> audiogen.Evaluation | None:
    experiment: audiogen.Experiment = audiogen.read_experiment("mel/gru-mixture", ["training.steps=500"])
    try:
        run = audiogen.train(experiment, data, "runs/gru", budget=60.0, progress=report)
        return audiogen.evaluate("out.wav", "rest.wav", None if run.path is None else "rain.wav")
    except audiogen.InputError as error:
        print(error.subject, error.cause, error.cure)
    except audiogen.AudioWarning:
        pass
    return None


def tunes() -> int:
    tune: audiogen.Tune = audiogen.read_midi("reel.mid")
    made: audiogen.TuneContinuation = audiogen.continue_tune(tune, bars=8, takes=4)
    audiogen.write_midi("longer.mid", made.tune)
    return len(made.tail.notes)


print(audiogen.__version__)
