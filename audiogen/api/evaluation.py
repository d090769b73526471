"""Evaluate and resynthesise recordings from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audiogen.api.inputs import FilePath, to_recording, to_single_run
from audiogen.api.session import session
from audiogen.audio import Recording
from audiogen.devices import pick_device
from audiogen.errors import InputError, require_number
from audiogen.jobs import vocode as job
from audiogen.jobs.control_baselines import CONTROL_BASELINES
from audiogen.jobs.model_likelihood import ModelLikelihood
from audiogen.metrics.evaluation import Evaluation, evaluate_inputs
from audiogen.metrics.evaluation_inputs import prepare_inputs
from audiogen.output_names import join_beside
from audiogen.progress import ProgressCallback
from audiogen.representation.mel import MelSpec
from audiogen.run import Run
from audiogen.sound.limits import checked_seed
from audiogen.vocoders.registry import build, find


def evaluate(
    tail: Recording | FilePath,
    reference: Recording | FilePath,
    prompt: Recording | FilePath | None = None,
    *,
    join_sample: int | None = None,
    raw: Recording | FilePath | None = None,
    run: Run | FilePath | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> Evaluation:
    """Evaluate a continuation against real audio and baselines, as ``audiogen evaluate`` does.

    Args:
        tail: the continuation, alone or after its prompt; a Recording or a file.
        reference: real audio, ideally what followed the prompt; a Recording or a file.
        prompt: what was continued; None if ``tail`` includes it, or if it is unknown.
        join_sample: where the continuation begins in ``tail``; None reads it from the JSON file beside ``tail``, or
            finds it by comparing ``tail`` with ``prompt``.
        raw: the same continuation as its Model draws it (``continue --raw``), to be shown beside the tail.
        run: the Run that made the tail, or its folder: the likelihood of each tail under its Model is then among
            ``others``, unless that has none.
        seed: random seed of the baselines.
        progress: called as ``progress(done, total, label)``; None draws bars on a terminal.

    Returns:
        Texture distance (1.0: as close as another segment of the real audio), copied and looped fractions, and further
        measures, of the tail, the real audio and each baseline.

    Raises:
        InputError: a file that cannot be read; recordings too short, or with other numbers of channels.

    Example:
        >>> found = audiogen.evaluate("longer.wav", "rest-of-rain.wav")
        >>> found.output.overall
        >>> print(found.table())
    """
    seed = checked_seed(seed)
    if join_sample is not None:
        require_number("join_sample", join_sample, whole=True)
        if join_sample < 0:
            raise InputError("join_sample", f"{join_sample} is out of range", "give a sample of the tail, from 0 on")
    with session(progress):
        output = to_recording(tail, "tail")
        if join_sample is None and isinstance(tail, (str, Path)):
            join_sample = join_beside(Path(tail))
        source = None if prompt is None else to_recording(prompt, "prompt")
        if source is None and join_sample:
            source = output.cut(0, min(join_sample, output.length))
        real = to_recording(reference, "reference")
        sampled = None if raw is None else to_recording(raw, "raw")
        opened = None if run is None else to_single_run(run, with_vocoder=False)
        inputs = prepare_inputs(output, real, source, join_sample, seed=seed, controls=CONTROL_BASELINES, raw=sampled)
        likelihood = None if opened is None else ModelLikelihood(opened, inputs.source)
        return evaluate_inputs(inputs, likelihood)


def vocode(
    recording: Recording | FilePath,
    *,
    vocoder: str | None = None,
    source: Recording | FilePath | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Recording:
    """Analyse a recording to mel frames and render it from them, as ``audiogen vocode`` does; its phases are dropped.

    Args:
        recording: a Recording or a file.
        vocoder: kind of vocoder; None for "source" with a ``source``, else "griffin_lim".
        source: recording that supplies the spectra, with as many channels; a Recording or a file.
        seed: random seed of the initial phases.
        device: "auto", "cpu" or "cuda".
        progress: called as ``progress(done, total, label)``; None draws bars on a terminal.

    Returns:
        A recording of the same length, sample rate and channels.

    Raises:
        InputError: an unknown vocoder, or one that needs a source and has none.

    Example:
        >>> audiogen.write("copy.wav", audiogen.vocode("rain.wav", vocoder="neural"))
    """
    given = to_recording(recording)
    seed = checked_seed(seed)
    kind = vocoder or ("griffin_lim" if source is None else "source")
    options = find(kind).Options()
    with session(progress):
        analysis = job.analyse(given, find(kind).native_spec(options) or MelSpec())
        material = None
        if source is not None:
            material = job.source_samples(to_recording(source, "source"), analysis).to(pick_device(device))
        engine = build(kind, analysis.spec, material, options)
        samples = np.concatenate(list(job.render(engine, analysis, seed, device)), axis=1)
    samples[list(given.silent)] = 0
    return Recording(samples, given.sample_rate, layout=given.layout)
