"""One job: a prompt in, a continued WAV and its sidecar out."""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording, Writer, read, subtype_for
from audiogen.errors import InputError
from audiogen.evaluation.measures import measure_continuation
from audiogen.experiment import Experiment, Shares, dump_json, to_tree, write_text
from audiogen.generation.continuation import Continuer, silence
from audiogen.generation.loop import close_loop, loop_on_itself
from audiogen.jobs.naming import sidecar_of
from audiogen.progress import progress
from audiogen.run import Run

LONGEST = 24 * 3600.0


@dataclass(frozen=True)
class Request:
    """What is asked of one tail.

    Args:
        seconds: length of the tail.
        seed: of everything that is drawn.
        temperature: 0 is the likeliest, 1 the learned distribution, above is wilder.
        tail_only: write the tail without the prompt.
        loop: make the end meet the beginning.
        vocoder: kind, instead of the Run's own.
        subtype: how samples are stored; None decides by the prompt.
    """

    seconds: float = 30.0
    seed: int = 0
    temperature: float = 1.0
    tail_only: bool = False
    loop: bool = False
    vocoder: str | None = None
    subtype: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= LONGEST:
            raise InputError("seconds", f"{self.seconds:g} is out of range", f"choose above 0 and up to {LONGEST:g}")
        if not 0 <= self.temperature <= 10:
            raise InputError("temperature", f"{self.temperature:g} is out of range", "choose from 0 to 10")


def single_recording(experiment: Experiment) -> Experiment:
    """The experiment as it is used on one prompt: nothing is held back for testing, nothing is logged."""
    shares = Shares(experiment.training.shares.validation, 0.0)
    return replace(experiment, training=replace(experiment.training, shares=shares))


def continue_recording(
    prompt: Recording,
    out: Path | str,
    request: Request = Request(),
    run: Run | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Continue a recording into ``out`` and describe what was done in ``out`` + ``.json``.

    Args:
        prompt: what is continued.
        out: audio file to write; the suffix names the container.
        request: what is asked of the tail.
        run: what predicts; None trains one on the prompt by ``experiment`` first.
        experiment: None for the defaults.
        budget: most wall-clock seconds for that training.
        device: "auto", "cpu" or "cuda".

    Returns:
        The sidecar's content.
    """
    return next(continue_variations(prompt, [(Path(out), request)], run, experiment, budget, device))


def continue_variations(
    prompt: Recording,
    wanted: list[tuple[Path, Request]],
    run: Run | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    said: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """`continue_recording` for several tails of one prompt: one training, one warming, each tail as it is ready.

    ``said`` are warnings that the sidecars should repeat, such as those of reading the prompt.
    """
    clock = Clock()
    with heard_warnings() as general:
        if run is None and prompt.samples.any():
            from audiogen.training.fit import train

            with clock("training"):
                run = train(single_recording(experiment or Experiment()), prompt, budget=budget, device=device)
        continuers: dict[str | None, Continuer] = {}
    for out, request in wanted:
        with heard_warnings() as particular:
            if run is not None and request.vocoder not in continuers:
                with clock("warming"):
                    continuers[request.vocoder] = Continuer(run, prompt, request.vocoder)
            continuer = continuers.get(request.vocoder)
            sidecar = write_tail(prompt, continuer, out, request, clock)
        sidecar["settings"] |= _settings_of(run, prompt)
        sidecar["warnings"] = [*said, *general, *particular]
        write_text(sidecar_of(out), dump_json(sidecar))
        yield sidecar


def write_tail(
    prompt: Recording, continuer: Continuer | None, out: Path, request: Request, clock: Clock
) -> dict[str, Any]:
    """Stream prompt and tail to disk, then measure what was written."""
    length = round(request.seconds * prompt.sample_rate)
    subtype = request.subtype or subtype_for(prompt, out)
    join_sample = 0 if request.tail_only else prompt.length
    with (
        Writer(out, prompt.sample_rate, prompt.channels, subtype, request.seed) as writer,
        clock("generation"),
        progress(request.seconds, f"continuing {out.name}", "s") as bar,
    ):
        if not request.tail_only:
            writer.write(prompt.samples, exact=True)
        for block in _blocks(prompt, continuer, length, request):
            writer.write(block, exact=continuer is None)  # silence needs no dither
            bar.update(block.shape[1] / prompt.sample_rate)
    with clock("measuring"):
        measures = measure_continuation(prompt, out, join_sample, loop=request.loop)
    return {
        "prompt": str(prompt.path) if prompt.path else None,
        "output": out.name,
        "sample_rate": prompt.sample_rate,
        "channels": prompt.channels,
        "subtype": subtype,
        "join_sample": join_sample,
        "length": join_sample + length,
        "seed": request.seed,
        "settings": {key: value for key, value in asdict(request).items() if key != "seed"},
        "versions": versions(),
        "timings": dict(clock.seconds),
        "measures": measures,
        "drift_guard": dict(continuer.drift_guard) if continuer is not None else None,
    }


def _blocks(prompt: Recording, continuer: Continuer | None, length: int, request: Request) -> Iterator[np.ndarray]:
    if continuer is None:  # a prompt of digital silence goes on as digital silence
        yield from silence(prompt.channels, length)
    elif request.loop and request.tail_only:
        yield from loop_on_itself(
            lambda count: continuer.tail(count, request.seed, request.temperature), length, prompt.sample_rate
        )
    elif request.loop:
        yield from close_loop(continuer.tail(length, request.seed, request.temperature), length, prompt)
    else:
        yield from continuer.tail(length, request.seed, request.temperature)


def _settings_of(run: Run | None, prompt: Recording) -> dict[str, Any]:
    if run is None:
        return {"training": None}
    return {
        "run": str(run.path) if run.path else None,
        "training": run.metrics,
        "experiment": to_tree(run.experiment),
    }


def versions() -> dict[str, str]:
    """Of audiogen and of what its output depends on."""
    names = ("audiogen", "torch", "torchaudio", "librosa", "numpy", "soundfile", "soxr")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


class Clock:
    """Seconds spent, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 3)


@contextmanager
def heard_warnings() -> Iterator[list[str]]:
    """Collect `AudioWarning` texts that are raised inside, for the sidecar; they are warned of again afterwards."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        try:
            yield texts
        finally:
            texts.extend(str(item.message) for item in caught if issubclass(item.category, AudioWarning))
    for text in texts:
        warnings.warn(text, AudioWarning, stacklevel=2)


def read_prompt(path: Path) -> tuple[Recording, list[str]]:
    """Read a prompt and what there is to be said about it."""
    with heard_warnings() as texts:
        recording = read(path)
    return recording, texts
