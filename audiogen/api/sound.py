"""Continue recordings from Python: in memory, as a stream, or into a file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from audiogen.api.inputs import AnyRun, FilePath, require_budget, to_experiment, to_prompt, to_recording, to_run
from audiogen.api.results import Continuation
from audiogen.api.session import each_in_session, session
from audiogen.api.tail_blocks import Samples, earlier_of, joined, like, prompt_of, tail_blocks_of
from audiogen.audio import Recording
from audiogen.errors import InputError, require_flag
from audiogen.experiment import Experiment
from audiogen.file_names import to_path
from audiogen.jobs import continue_sound as job
from audiogen.jobs import run_choice
from audiogen.jobs.backward import continue_backward, require_reversible
from audiogen.jobs.continuer_choice import MorphTarget
from audiogen.jobs.request import Request
from audiogen.output_names import require_own_sidecar
from audiogen.progress import ProgressCallback
from audiogen.run import Run


def continue_audio(
    samples: Samples,
    sample_rate: int,
    seconds: float = 30.0,
    seed: int = 0,
    temperature: float = 1.0,
    *,
    level: float = 0.0,
    brightness: float = 0.0,
    density: float = 1.0,
    pulse: bool = True,
    longest_copy: str = "2 bars",
    morph: Recording | FilePath | None = None,
    match_texture: bool = True,
    loop: bool = False,
    backward: bool = False,
    tail_only: bool = False,
    keep_edges: bool = False,
    ambience: bool = False,
    run: AnyRun | FilePath | None = None,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    cache: bool = True,
    vocoder: str | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Samples:
    """Continue a recording in memory.

    The contexts of the recording itself predict, at once, unless a ``run`` is given. With a ``config`` or a ``budget``,
    a Model is first trained on the recording; without a ``config``, the contexts predict where they do better all the
    same.

    Args:
        samples: the prompt, ``[time]`` or ``[channels, time]``, of any floating-point type, full scale -1 to 1; at
            least half a second, unless it is silent.
        sample_rate: Hz.
        seconds: length of the tail, above 0 and up to a day.
        seed: random seed; the same seed and settings give the same samples on one machine.
        temperature: variability relative to the recording, 0 to 10: 0 steady, 1 as recorded, 2 twice the level
            variance.
        level: dB relative to the prompt, -40 to 40, reached after 3 s.
        brightness: spectral tilt in dB per octave, -6 to 6.
        density: events per second as a multiple of the recording's, 0.1 to 10.
        pulse: whether a recording that has a pulse is continued beat by beat, without a Model.
        longest_copy: longest verbatim run of such a tail: "2 bars", or "3.5" for seconds.
        morph: recording whose texture the tail gradually takes on, or a file of it.
        match_texture: whether to match the recording's texture statistics (not done at another density than 1).
        loop: whether the end of the result joins its start seamlessly; `loops` makes several lengths.
        backward: whether to make what came before the prompt, instead of what follows it.
        tail_only: whether to return the tail without the prompt.
        keep_edges: whether to continue after a fade or silence at the end of the recording; otherwise what is returned
            of it ends before that.
        ambience: whether to learn the bed under the recording's events, and return that alone.
        run: trained Run, mixture of Runs, or folder of a Run to predict with.
        config: Experiment, name of a shipped configuration or YAML file to train by.
        budget: time limit of a training on the recording in seconds, ``math.inf`` for none; None or 0 uses the shipped
            base.
        cache: whether to look for what was trained in the same way before, and to keep what is trained.
        vocoder: kind of vocoder; None for that of the Run.
        device: where to train: "auto", "cpu" or "cuda".
        progress: called as ``progress(done, total, label)``; None draws bars on a terminal.

    Returns:
        Prompt and tail, or the tail: in the layout, floating-point type and library of ``samples``. The samples of the
        prompt are returned unchanged, up to a fade or silence at its end; a loop begins after one at its start, and
        so does the prompt that follows a tail.

    Raises:
        InputError: unusable samples, a value out of range, or a Run that does not fit.

    Example:
        >>> longer = audiogen.continue_audio(samples, 44100, seconds=60)
    """
    request = Request(
        seconds=seconds,
        seed=seed,
        temperature=temperature,
        level=level,
        brightness=brightness,
        density=density,
        pulse=pulse,
        longest_copy=longest_copy,
        tail_only=tail_only,
        loop=loop,
        keep_edges=keep_edges,
        ambience=ambience,
        match_texture=match_texture,
        vocoder=vocoder,
    )
    require_flag("backward", backward)
    prompt = prompt_of(samples, sample_rate)
    choice = (morph, run, config, budget, cache, device)
    with session(progress):
        if backward:
            parts, made = earlier_of(prompt, request, *choice)
        else:
            parts, blocks = tail_blocks_of(prompt, request, request.seconds, *choice)
            made = np.concatenate(list(blocks), axis=1)
    tail = like(made, samples)
    if not request.writes_prompt:
        return tail
    kept = samples[..., parts.start : parts.stop]
    return joined(tail, kept) if backward else joined(kept, tail)


def stream(
    samples: Samples,
    sample_rate: int,
    seconds: float | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    *,
    level: float = 0.0,
    brightness: float = 0.0,
    density: float = 1.0,
    pulse: bool = True,
    longest_copy: str = "2 bars",
    morph: Recording | FilePath | None = None,
    match_texture: bool = True,
    keep_edges: bool = True,
    ambience: bool = False,
    run: AnyRun | FilePath | None = None,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    cache: bool = True,
    vocoder: str | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Iterator[Samples]:
    """Continue a recording block by block, in bounded memory.

    Training and analysis of the prompt happen in this call, so that the blocks come faster than they play. Concatenated
    along time, they are `continue_audio`'s tail of the same length, to the bit.

    Args:
        seconds: length of the tail; None for an endless one. A morph needs a length.
        keep_edges: whether the tail follows the end of the samples, even if that is a fade or silence, as after playing
            all of them; False starts it before that, as `continue_audio` does.

    All other arguments are those of `continue_audio`.

    Yields:
        ``[channels, time]`` blocks of the tail, or ``[time]`` if ``samples`` are: of about 0.7 s at first and
        of any length above 0.

    Raises:
        InputError: as `continue_audio`.

    Example:
        >>> for block in audiogen.stream(samples, 44100):
        ...     device.write(block)
    """
    if morph is not None and seconds is None:
        raise InputError("morph", "an endless tail has no end to morph towards", "give seconds")
    request = Request(
        seconds=1.0 if seconds is None else seconds,
        seed=seed,
        temperature=temperature,
        level=level,
        brightness=brightness,
        density=density,
        pulse=pulse,
        longest_copy=longest_copy,
        keep_edges=keep_edges,
        ambience=ambience,
        match_texture=match_texture,
        vocoder=vocoder,
    )
    prompt = prompt_of(samples, sample_rate)
    with session(progress):
        _, blocks = tail_blocks_of(prompt, request, seconds, morph, run, config, budget, cache, device)
    return (like(block, samples) for block in each_in_session(blocks) if block.shape[1])


def continue_recording(
    prompt: Recording | FilePath,
    output: FilePath,
    seconds: float = 30.0,
    seed: int = 0,
    temperature: float = 1.0,
    *,
    level: float = 0.0,
    brightness: float = 0.0,
    density: float = 1.0,
    pulse: bool = True,
    longest_copy: str = "2 bars",
    morph: Recording | FilePath | None = None,
    match_texture: bool = True,
    loop: bool = False,
    backward: bool = False,
    tail_only: bool = False,
    keep_edges: bool = False,
    ambience: bool = False,
    run: AnyRun | FilePath | None = None,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    cache: bool = True,
    vocoder: str | None = None,
    subtype: str | None = None,
    metadata: bool = True,
    loudness: float | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Continuation:
    """Continue a recording into a file, as ``audiogen continue`` does, of any length in bounded memory.

    The samples before the join are the prompt's, bit by bit. A JSON file beside the output says what was done. An
    existing output is overwritten.

    Args:
        prompt: the recording, or a file of it.
        output: audio file to write; its suffix names the container.
        subtype: sample format: "PCM_16", "PCM_24", "FLOAT", ...; None for that of the prompt.
        metadata: carry over the metadata of the prompt's file as far as they still hold, and mark the join.
        loudness: integrated loudness of the output, LUFS; None leaves the level alone. Otherwise the prompt is
            amplified with the tail.

    All other arguments are those of `continue_audio`.

    Returns:
        The continuation: where the join is, measures, warnings, and the content of the JSON file.

    Warns:
        AudioWarning: measures of the tail far from those of the prompt's own segments.

    Raises:
        InputError: as `continue_audio`; a prompt that cannot be read, or an output that cannot be written.

    Example:
        >>> made = audiogen.continue_recording("rain.wav", "longer.wav", seconds=60, seed=7)
        >>> made.texture_distance, made.copied
    """
    request = Request(
        seconds=seconds,
        seed=seed,
        temperature=temperature,
        level=level,
        brightness=brightness,
        density=density,
        pulse=pulse,
        longest_copy=longest_copy,
        tail_only=tail_only,
        loop=loop,
        keep_edges=keep_edges,
        ambience=ambience,
        match_texture=match_texture,
        vocoder=vocoder,
        subtype=subtype,
        metadata=metadata,
        loudness=loudness,
    )
    experiment = to_experiment(config)
    require_flag("backward", backward)
    if backward:
        require_reversible(request, morph is not None)
    path = to_path("output", output)
    require_own_sidecar(path)
    with session(progress):
        target = None if morph is None else MorphTarget(to_prompt(morph, "morph"))
        choice = (to_run(run, config, budget, device), experiment, budget, device)
        if backward:
            (sidecar,) = continue_backward(to_prompt(prompt), [(path, request)], *choice, cache=cache)
        else:
            sidecar = job.continue_recording(to_prompt(prompt), path, request, *choice, target, cache)
    return Continuation.from_sidecar(path, sidecar)


def choose_run(
    recording: Recording | FilePath,
    *,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    cache: bool = True,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Run:
    """Train on a recording and choose what predicts its continuations, for several calls that take a ``run``.

    Args:
        recording: the prompt, or a file of it.
        config: Experiment, name of a shipped configuration or YAML file to train by; None for the default one, or the
            shipped base where that does better.
        budget: time limit of the training in seconds, ``math.inf`` for none; None or 0 returns the shipped base.
        cache: whether to look for what was trained in the same way before, and to keep what is trained.
        device: "auto", "cpu" or "cuda".
        progress: called as ``progress(done, total, label)``; None draws bars on a terminal.

    Raises:
        InputError: a recording too short to train on, or ``config`` with a budget of 0.

    Example:
        >>> run = audiogen.choose_run("rain.wav")
        >>> takes = [audiogen.continue_audio(samples, 44100, seed=seed, run=run) for seed in range(5)]
    """
    experiment = to_experiment(config)
    require_budget(budget)
    require_flag("cache", cache)
    with session(progress):
        return run_choice.choose_run(to_recording(recording), experiment, budget, device, cache=cache)
