"""The process that makes takes: it keeps the libraries loaded, and sends what happens through a pipe.

Messages to the server are tuples that begin with a word: ("ready",), ("progress", done, total, label),
("begun", facts), ("sound", samples), ("made", facts), ("failed", text), ("cancelled",).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning
from audiogen.errors import InputError


@dataclass(frozen=True)
class Job:
    """A take to make.

    Args:
        kind: "recording", "tune" or "set".
        prompt: the recording or tune.
        out: file to write.
        request: fields of `Request` or `TuneRequest`.
        region: start and end of what is continued, seconds; None for all.
        morph: recording to morph into.
        preview: file to which the tail's float32 samples are appended, interleaved, while they are made.
        takes: of a set, the files to write with their requests.
    """

    kind: str
    prompt: Path
    out: Path
    request: dict[str, Any]
    region: tuple[float, float] | None = None
    morph: Path | None = None
    preview: Path | None = None
    takes: tuple[tuple[Path, dict[str, Any]], ...] = field(default=())


CANCEL = "cancel"


class Cancelled(Exception):
    """The take is not wanted any more."""


Send = Callable[..., None]


def work(pipe: Connection, warm: bool) -> None:
    """Make takes until the pipe closes.

    Args:
        pipe: receives a `Job` at a time, and `CANCEL` to end it at its next step.
        warm: load the base and make a moment of sound first, so that the first take does not wait for it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server receives it too
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (warnings go into sidecars)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    if warm:
        warm_up()
    pipe.send(("ready",))
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        if isinstance(job, Job):  # and not the cancellation of one that had just ended
            pipe.send(run(job, lambda *message: pipe.send(message), pipe.poll))


def run(job: Job, send: Send, cancelled: Callable[[], bool]) -> tuple[Any, ...]:
    """Run a job.

    Args:
        job: what to make.
        send: is called with messages meanwhile.
        cancelled: whether to stop.

    Returns:
        The last message.
    """
    from audiogen.jobs.batch.tasks import describe_error
    from audiogen.progress import report_to

    def check() -> None:
        if cancelled():
            raise Cancelled

    def report(done: float, total: float, label: str) -> None:
        check()
        send("progress", done, total, label)

    try:
        with warnings.catch_warnings(), report_to(report, check):
            warnings.simplefilter("ignore", AudioWarning)  # they are in the sidecar
            return "made", MAKERS[job.kind](job, send)
    except Cancelled:
        return ("cancelled",)
    except InputError as error:
        return "failed", str(error)
    except Exception as error:  # whatever a job raises, the studio goes on
        return "failed", describe_error(error)
    finally:
        if job.preview is not None:
            job.preview.unlink(missing_ok=True)


def _make_recording(job: Job, send: Send) -> dict[str, Any]:
    from audiogen.jobs.continue_sound import continue_variations, read_prompt
    from audiogen.jobs.continuer_choice import MorphTarget
    from audiogen.jobs.request import Request
    from audiogen.jobs.tail_listener import listen_to_tails
    from audiogen.sound.prompt_analysis import PromptParts
    from audiogen.studio.measures import repeated_times

    request = Request(**job.request)
    recording, remarks = read_prompt(job.prompt, *(job.region or (None, None)))
    target = None
    if job.morph is not None:
        morph, more = read_prompt(job.morph)
        target, remarks = MorphTarget(morph), [*remarks, *more]
    begun: list[dict[str, Any]] = []

    def listen(prompt: PromptParts, block: np.ndarray) -> None:
        if not begun:
            begun.append({"prompt_range": [prompt.start, prompt.stop], "prompt_start": recording.start or 0})
            send("begun", begun[0] | {"sample_rate": recording.sample_rate, "channels": recording.channels})
        if job.preview is not None:
            with job.preview.open("ab") as out:
                out.write(np.ascontiguousarray(block.T, np.float32).tobytes())
        send("sound", block.shape[1])

    with listen_to_tails(listen):
        outputs = [(job.out, request)]
        sidecar = next(iter(continue_variations(recording, outputs, None, None, None, "auto", remarks, target)))
    return sidecar | {"repeats": repeated_times(recording, job.out, sidecar["join_sample"])}


def _make_tune(job: Job, send: Send) -> dict[str, Any]:
    from audiogen.jobs.continue_tune import continue_tune
    from audiogen.jobs.tune_request import TuneRequest
    from audiogen.progress import progress

    with progress(1, f"continuing {job.prompt.name}"):
        made = next(iter(continue_tune(job.prompt, [(job.out, TuneRequest(**job.request))])))
    return made.sidecar


def _make_set(job: Job, send: Send) -> dict[str, Any]:
    """Takes again, as a set: tails alone, equally loud, compared with each other, each as it was chosen."""
    from audiogen.jobs.continue_set import continue_set
    from audiogen.jobs.continue_sound import read_prompt
    from audiogen.jobs.request import Request
    from audiogen.jobs.take_set import compare_takes

    recording, remarks = read_prompt(job.prompt, *(job.region or (None, None)))
    outputs = [(out, Request(**request)) for out, request in job.takes]
    for _ in continue_set(recording, outputs, prompt_warnings=remarks, distinct=False):
        pass
    report = compare_takes(recording, [out for out, _ in outputs])
    return {"written": [out.name for out, _ in outputs], "report": str(report) if report else ""}


MAKERS: dict[str, Callable[[Job, Send], dict[str, Any]]] = {
    "recording": _make_recording,
    "tune": _make_tune,
    "set": _make_set,
}


def warm_up() -> None:
    """Load what the first take needs: libraries, the base, and the code that compiles at its first call."""
    from tempfile import TemporaryDirectory

    from audiogen.audio import Recording
    from audiogen.jobs.continue_sound import continue_recording
    from audiogen.jobs.request import Request

    noise = np.random.default_rng(0).standard_normal((1, 3 * 44100)).astype(np.float32)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        request = Request(seconds=0.6, tail_only=True, pulse=True)
        continue_recording(Recording(0.1 * noise, 44100), Path(folder) / "warm.wav", request)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
