"""audiogen continue: a prompt in, prompt and tail out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from audiogen.cli.command import Command, report, say
from audiogen.cli.continue_tune import PLAIN, continue_tune, is_midi, note_options, without
from audiogen.cli.options import (
    BUDGET,
    CONFIG,
    DEVICE,
    EXTERNAL,
    FILE,
    FORCE,
    OVERRIDES,
    SECONDS,
    SEED,
    handle_options,
    page_place,
    places,
    require_input,
)
from audiogen.cli.sampling_options import require_suffix
from audiogen.output_names import sidecar_of
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.experiment import Experiment


@click.command("continue", cls=Command)
@click.argument("prompt", type=FILE)
@OVERRIDES
@click.option("-o", "--output", "out", type=FILE, required=True, help="File to write: .wav, .flac, .mid, ...")
@SECONDS
@SEED
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    show_default=True,
    help="Variance, in units of the recording's: 0 steady, 1 like it, 2 swells 1.4 times as far in dB.",
)
@handle_options
@click.option("--morph", type=FILE, help="Turn into the texture of this recording on the way.")
@click.option(
    "--variations",
    type=click.IntRange(1, 999),
    default=1,
    show_default=True,
    help="Tails to make; --page helps to choose.",
)
@click.option("--page", "paged", is_flag=True, help="Write OUT.html, to choose one of the variations by ear.")
@click.option(
    "--match-texture/--no-match-texture",
    "--impose/--no-impose",
    "match_texture",
    default=True,
    show_default=True,
    help="Match the recording's texture statistics (off when --density is set).",
)
@click.option("--loop", is_flag=True, help="Make the end meet the beginning.")
@click.option("--tail-only", is_flag=True, help="Write what is added without the prompt.")
@click.option("--run", "run_folders", type=FILE, multiple=True, help="Predict by this Run; repeat it to combine Runs.")
@click.option("--weight", type=float, multiple=True, help="How often the --run of the same place predicts.")
@click.option("--config", type=CONFIG, help="Train by this configuration: a shipped one's name, or a YAML file.")
@EXTERNAL
@BUDGET
@note_options
@click.option("--vocoder", help="Vocoder to render with.")
@click.option("--subtype", help="How samples are stored: PCM_16, PCM_24, FLOAT, ...")
@DEVICE
@FORCE
@click.pass_context
def continue_(
    context: click.Context,
    prompt: Path,
    overrides: tuple[str, ...],
    out: Path,
    variations: int,
    paged: bool,
    run_folders: tuple[Path, ...],
    config: Path | None,
    allow_external_weights: bool,
    budget: float | None,
    device: str,
    force: bool,
    **asked: Any,
) -> None:
    """Continue PROMPT, a recording or a MIDI file (as MIDI, or rendered where OUT is a sound file).

    Without --run, a model is trained on the prompt first (half a minute or so), and the one that ships with audiogen is
    taken instead where it goes on better; --budget 0 takes that at once; --config or KEY=VALUE train one of your own.
    Of several takes of a tune's tail, the one is kept that is most like it in its pitches, rhythms and harmonies.
    A MIDI file is learned at once, by a Markov chain, unless --config, --budget or KEY=VALUE asks for a training.
    Beside OUT.wav, OUT.json says what was done: the join, seed, settings, timings, measures and warnings. KEY=VALUE
    overrides the configuration, for example training.steps=200.
    """
    from audiogen.config.known_keys import require_known_keys
    from audiogen.errors import InputError

    read = (prompt, config, asked["morph"])
    require_input(*read)
    outs = places(out, *read, force=force, variations=variations)
    page = page_place(out, *read, force=force, variations=variations) if paged else None

    if run_folders and (config is not None or overrides or budget is not None):
        raise InputError("--run", "a Run is trained already", "leave out --config, --budget and KEY=VALUE")

    require_known_keys(config, overrides)
    with stage("loading libraries"):
        from audiogen.audio import Writer
        from audiogen.devices import pick_device
        from audiogen.experiment import Experiment, read_experiment
        from audiogen.vocoders.registry import VOCODERS

    if asked["vocoder"] not in (None, *VOCODERS):
        raise InputError(
            f"vocoder {asked['vocoder']}", "there is none of that name", f"choose from {', '.join(VOCODERS)}"
        )
    pick_device(device)
    if is_midi(prompt):
        if asked["bars"] is not None and context.get_parameter_source("seconds") is not ParameterSource.DEFAULT:
            raise InputError("--bars", "--seconds asks for a length too", "leave out either of the two")
        require_suffix(out)
    if not (is_midi(prompt) and is_midi(out)):
        Writer(out, 44100, 1, asked["subtype"])  # refuses an impossible name or subtype before any work is done
    if is_midi(prompt):
        if len(run_folders) > 1:
            raise InputError("--run", "one Run continues a tune", "name one")
        run_folder = next(iter(run_folders), None)
        external = allow_external_weights
        continue_tune(prompt, outs, page, run_folder, external, config, overrides, budget, device, asked)
        return
    experiment = read_experiment(config, overrides) if config is not None or overrides else None
    if not run_folders:  # a Run's own vocoder is checked as the Run is opened
        check_vocoder(experiment or Experiment(), asked["vocoder"])
    asked = without(asked, PLAIN, "a recording")
    continue_sound(prompt, outs, page, run_folders, allow_external_weights, experiment, budget, device, asked)


def check_vocoder(experiment: Experiment, kind: str | None) -> None:
    """Raise an InputError if what will render cannot: weights that are missing, a library that would download them.

    Args:
        experiment: that will predict.
        kind: of the vocoder; None for the experiment's own.
    """
    from audiogen.vocoders.registry import VOCODERS, check

    if experiment.representation.kind != "mel":
        return  # it is refused as such
    own = experiment.vocoder
    chosen = own.kind if kind is None else kind
    spec = experiment.representation.options.spec
    check(chosen, spec, own.options if chosen == own.kind else VOCODERS[chosen].Options())


def continue_sound(
    prompt: Path,
    outs: list[Path],
    page: Path | None,
    run_folders: tuple[Path, ...],
    allow_external_weights: bool,
    experiment: Experiment | None,
    budget: float | None,
    device: str,
    asked: dict[str, Any],
) -> None:
    """Continue the recording ``prompt`` into each of ``outs``, and write a page about them where one is named."""
    from dataclasses import replace

    with stage("loading libraries"):
        from audiogen.jobs.continue_sound import MorphTarget, Request, continue_variations, read_prompt
        from audiogen.jobs.run_choice import describe_choice
        from audiogen.sound.run_mixture import open_runs

    weights, morph = asked.pop("weight"), asked.pop("morph")
    request = Request(**asked)
    recording, said = read_prompt(prompt)
    run = open_runs(run_folders, weights, allow_external_weights)
    toward = None
    if morph is not None:
        target, more = read_prompt(morph)
        toward, said = MorphTarget(target), [*said, *more]
    wanted = [(path, replace(request, seed=request.seed + index)) for index, path in enumerate(outs)]
    sidecars: list[dict[str, Any]] = []
    for sidecar in continue_variations(recording, wanted, run, experiment, budget, device, said, toward):
        path = outs[len(sidecars)]
        sidecars.append(sidecar)
        new = sidecar["length"] - sidecar["join_sample"]
        seconds, added = (length / sidecar["sample_rate"] for length in (sidecar["length"], new))
        say(f"{path}: {seconds:.2f} s, {added:.2f} s of it new; {sidecar_of(path).name} says more")
    if page is not None:
        from audiogen.reports.variations_page import write_variations

        with stage("writing the page"):
            write_variations(page, recording, outs, sidecars)
        say(f"page: {page}")
    said_last = describe_choice(sidecars[0]["settings"])
    if morph is not None:
        said_last += f"; {morph.name} by: {describe_choice(sidecars[0]['settings']['morph'])}"
    say(f"predicted by: {said_last}")
    report({"outputs": [outcome(path, each) for path, each in zip(outs, sidecars, strict=True)], "page": page})


def outcome(out: Path, sidecar: dict[str, Any]) -> dict[str, Any]:
    """A continuation for --json: where it is and its sidecar, less the whole experiment, and what predicted it."""
    from audiogen.jobs.run_choice import describe_choice

    left_out = ("experiment", "training", "runs")
    settings = {name: value for name, value in sidecar["settings"].items() if name not in left_out}
    predictor = {"text": describe_choice(sidecar["settings"]), "run": sidecar["settings"].get("run")}
    predictor |= {"choice": (sidecar["settings"]["training"] or {}).get("choice")}
    return {**sidecar, "output": out, "sidecar": sidecar_of(out), "predicted_by": predictor, "settings": settings}
