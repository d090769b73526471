"""Continue tunes from Python: MIDI files, or tunes in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from audiogen.api.inputs import FilePath, to_experiment, to_run
from audiogen.api.results import TuneContinuation
from audiogen.api.session import session
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.file_names import to_path
from audiogen.jobs import continue_tune as job
from audiogen.jobs.plan_request import PlanRequest
from audiogen.jobs.tune_request import TuneRequest
from audiogen.output_names import require_own_sidecar, sidecar_of
from audiogen.progress import ProgressCallback
from audiogen.run import Run
from audiogen.sound.run_mixture import RunMixture
from audiogen.text_files import dump_json, write_text
from audiogen.tunes.midi import reader, writer
from audiogen.tunes.rewards import parse_rewards, read_rewards
from audiogen.tunes.tune import Tune


def read_midi(path: FilePath) -> Tune:
    """Read the notes, tempos, meters and controllers of a MIDI file.

    Raises:
        InputError: no such file, no MIDI, or damaged beyond use.
    """
    return reader.read_midi(to_path("path", path))


def write_midi(path: FilePath, tune: Tune) -> None:
    """Write a tune as a MIDI file of format 1, one track for each part."""
    if not isinstance(tune, Tune):
        raise InputError("tune", f"it is of type {type(tune).__name__}", "give a Tune")
    writer.write_midi(to_path("path", path), tune)


def continue_tune(
    prompt: Tune | FilePath,
    output: FilePath | None = None,
    seconds: float = 30.0,
    seed: int = 0,
    temperature: float = 1.0,
    *,
    bars: int | None = None,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.01,
    takes: int = 8,
    plan: str | None = None,
    rewards: Mapping[str, float] | Sequence[str] | FilePath = (),
    simulations: int | None = None,
    think: float | None = None,
    tail_only: bool = False,
    run: Run | FilePath | None = None,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    subtype: str | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> TuneContinuation:
    """Continue a tune, as ``audiogen continue`` does with MIDI files.

    Without ``run``, ``config`` and ``budget``, a Markov chain counted on the tune itself predicts.

    Args:
        prompt: MIDI file, or a Tune. All events of a file stay as they are in the output.
        output: file to write, MIDI or audio (rendered) by its suffix; None for none. A JSON file beside it says what
            was done. An existing output is overwritten.
        seconds: length of the tail.
        seed: random seed; the same seed and settings give the same notes.
        temperature: sampling temperature, 0 to 10: 0 the likeliest, 1 the learned distribution.
        bars: length of the tail in whole bars, instead of ``seconds``.
        top_k: sample from this many likeliest tokens; 0 for all.
        top_p: nucleus sampling: total probability kept, 0 to 1.
        min_p: minimum probability relative to the likeliest token, 0 to 1.
        takes: tails generated at temperature 1, 1 to 99; the one most like the prompt is kept.
        plan: search for a tail of high reward: "mcts", "beam", "smc" or "best-of"; None for none, or for "mcts" if
            ``rewards``, ``simulations`` or ``think`` is given.
        rewards: rules that the tail should fulfil, as texts (``["ending:G", "range:..B5=2"]``), as weights by name, or
            as a YAML file of these.
        simulations: work of the search, in tails that are sampled.
        think: time of the search in seconds, instead.
        tail_only: whether to write the tail without the prompt.
        run: trained Run of tunes, or its folder.
        config: Experiment, name of a shipped configuration or YAML file to train by, on the prompt alone.
        budget: time limit of that training in seconds.
        subtype: sample format of an audio output: "PCM_16", ...; None for the usual one.
        device: where to train: "auto", "cpu" or "cuda".
        progress: called as ``progress(done, total, label)``; None draws bars on a terminal.

    Raises:
        InputError: an unusable prompt, a value out of range, or a Run of recordings.

    Example:
        >>> made = audiogen.continue_tune("reel.mid", "longer.mid", bars=16)
        >>> len(made.tail.notes)
    """
    request = TuneRequest(
        seconds=seconds,
        bars=bars,
        seed=seed,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        takes=takes,
        plan=_plan_request(plan, rewards, simulations, think),
        tail_only=tail_only,
        subtype=subtype,
    )
    named = None if isinstance(prompt, Tune) else to_path("prompt", prompt, "a Tune, or the name of a MIDI file")
    chosen = to_run(run, config, budget, device)
    if isinstance(chosen, RunMixture):
        raise InputError("run", "it predicts sound, not notes", "give a Run of the midi representation")
    experiment = to_experiment(config)
    if experiment is not None:
        job.require_midi(experiment, config if isinstance(config, (str, Path)) else "config")
    elif budget:
        experiment = job.prompt_experiment(None, ())
    written = None if output is None else to_path("output", output)
    if written is not None:
        require_own_sidecar(written)
    with session(progress), tempfile.TemporaryDirectory() as folder:
        source = named or Path(folder) / "prompt.mid"
        if isinstance(prompt, Tune):
            writer.write_midi(source, prompt)
        path = written or Path(folder) / "output.mid"
        made = next(iter(job.continue_tune(source, [(path, request)], chosen, experiment, budget, device)))
    sidecar = made.sidecar
    if output is None:
        sidecar = sidecar | {"output": None}
    if isinstance(prompt, Tune):
        sidecar = sidecar | {"prompt": None}
        if output is not None:
            write_text(sidecar_of(path), dump_json(sidecar))
    return TuneContinuation(
        None if output is None else path,
        made.tune,
        made.join,
        request.seed,
        sidecar["settings"],
        sidecar["measures"],
        tuple(sidecar["warnings"]),
        sidecar,
    )


def _plan_request(
    plan: str | None,
    rewards: Mapping[str, float] | Sequence[str] | FilePath,
    simulations: int | None,
    think: float | None,
) -> PlanRequest | None:
    """The search that some arguments ask for; None if they ask for none."""
    if plan is None and not rewards and simulations is None and think is None:
        return None
    if isinstance(rewards, (str, Path)):
        rewards = read_rewards(Path(rewards))
    if not isinstance(rewards, Mapping | Sequence):
        raise InputError("rewards", f"they are of type {type(rewards).__name__}", "give a list, or weights by name")
    weights = dict(rewards) if isinstance(rewards, Mapping) else parse_rewards(rewards)
    given = {"rewards": weights} if weights else {}
    return PlanRequest(plan or "mcts", simulations=simulations, think=think, **given)
