"""`audiogen continue`: continue a recording or a MIDI file."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from audiogen.cli.command import MODEL, OUTPUT, SOUND, TUNES, Command, option
from audiogen.cli.continue_many import continue_each, continue_through_pipes, prompts_among
from audiogen.cli.file_arguments import PIPE
from audiogen.cli.naming import Takes, naming_options, require_forward_options
from audiogen.cli.options import (
    ADAPT,
    BUDGET,
    CONFIG,
    DEVICE,
    EXTERNAL,
    FILE,
    FORCE,
    METADATA,
    NO_CACHE,
    OVERRIDES,
    RUN,
    SECONDS,
    SEED,
    SUBTYPE,
    VOCODER,
    Duration,
    control_options,
    output_paths,
    page_path,
    refuse_to_overwrite,
    require_input,
    temperature_option,
)
from audiogen.cli.plan_options import NAMES as PLAN_NAMES
from audiogen.cli.plan_options import plan_options, pop_candidates, pop_plan
from audiogen.cli.sampling_options import require_suffix, token_options
from audiogen.errors import InputError
from audiogen.file_names import is_midi
from audiogen.jobs.request import Request
from audiogen.jobs.tune_request import MAX_BARS, MAX_TAKES, TuneRequest
from audiogen.output_names import sidecar_of
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.experiment import Experiment

SOUND_FIELDS = {field.name: field.default for field in fields(Request)}
TUNE_FIELDS = {field.name: field.default for field in fields(TuneRequest)}
TUNE_ONLY: dict[str, Any] = {name: TUNE_FIELDS[name] for name in TUNE_FIELDS if name not in SOUND_FIELDS}
TUNE_ONLY |= {name: () if name == "rewards" else None for name in PLAN_NAMES}
"""Options that do not apply to a recording -> their defaults."""
SOUND_ONLY: dict[str, Any] = {name: SOUND_FIELDS[name] for name in SOUND_FIELDS if name not in TUNE_FIELDS}
SOUND_ONLY |= {"morph": None, "weight": (), "backward": False, "loop_lengths": (), "set": False, "adapt": False}
SOUND_ONLY |= {"cache": True, "start": None, "stop": None}
"""Options that do not apply to a MIDI prompt -> their defaults."""
FLAGS = {"start": "from", "stop": "to", "rewards": "reward", "rewards_file": "rewards"}
"""Options whose names in Python differ from their flags."""


@click.command(
    "continue",
    cls=Command,
    examples=(
        "audiogen continue rain.wav -o longer.wav --seconds 4:00",
        "audiogen continue rain.wav -o adapted.wav --adapt",
        "audiogen continue rain.wav -o take.wav --variations 4 --page --temperature 1.5",
        "audiogen continue rain.wav -o bed.wav --tail-only --loop-lengths 10,30,60",
        "audiogen continue rain.wav -o drops.wav --variations 12 --set --seconds 6",
        "audiogen continue rain.wav -o earlier.wav --backward --seconds 10",
        "audiogen continue rain.wav -o storm.wav --morph thunder.wav --level 6",
        "audiogen continue *.wav -o continued",
        "ffmpeg -i rain.mp4 -f wav - | audiogen continue - -o - | aplay",
        "audiogen continue tune.mid -o longer.mid --bars 16",
        "audiogen continue tune.mid -o better.mid --bars 16 --plan mcts --reward ending:G --reward range:..B5",
    ),
)
@click.argument("prompt", type=FILE)
@OVERRIDES
@option("-o", "--output", "out", group=OUTPUT, type=FILE, required=True, help="File to write: .wav, .flac, .mid, ...")
@SECONDS
@SEED
@option(
    "--variations",
    group=OUTPUT,
    type=click.IntRange(1, 999),
    default=1,
    help="Number of continuations to write, 1 to 999, with consecutive seeds.",
)
@naming_options
@option("--from", "start", group=OUTPUT, type=Duration(min=0), help="Continue only what follows this time of PROMPT.")
@option("--to", "stop", group=OUTPUT, type=Duration(min=0), help="Continue only what precedes this time of PROMPT.")
@option("--page", "with_page", group=OUTPUT, is_flag=True, help="Write OUT.html to compare the variations by ear.")
@option("--tail-only", group=OUTPUT, is_flag=True, help="Write only the new part.")
@SUBTYPE
@METADATA
@option(
    "--loudness",
    group=OUTPUT,
    type=float,
    metavar="LUFS",
    help="Integrated loudness of the output (BS.1770), -70 to 0, such as -23; less where its true peak would exceed "
    "-1 dBTP.  [default: the recording's own level]",
)
@temperature_option(and_midi=" MIDI: sampling temperature; above 1 is more random.")
@control_options
@option("--morph", group=SOUND, type=FILE, help="Morph gradually into the texture of this recording.")
@option(
    "--match-texture/--no-match-texture",
    group=SOUND,
    default=Request.match_texture,
    help="Match the recording's texture statistics.",
)
@option("--raw", group=SOUND, is_flag=True, help="Render what the Model itself draws: no selection, no guards.")
@option("--impose/--no-impose", "impose", default=None, hidden=True)  # the earlier name of --match-texture
@option(
    "--pulse/--no-pulse",
    group=SOUND,
    default=Request.pulse,
    help="Keep time: continue a recording that has a pulse beat by beat.",
)
@option(
    "--longest-copy",
    group=SOUND,
    default=Request.longest_copy,
    metavar="LENGTH",
    help="Longest verbatim run of a recording with a pulse: 2 bars, or 3.5 for seconds.",
)
@option(
    "--keep-edges", group=SOUND, is_flag=True, help="Continue after a fade or silence at the end, not from before it."
)
@option(
    "--ambience",
    group=SOUND,
    is_flag=True,
    help="Write only the ambience of PROMPT, without speech and other events.",
)
@option(
    "--loop",
    group=SOUND,
    is_flag=True,
    help="Make the end of OUT join seamlessly to its start: PROMPT and the new part repeat, or with --tail-only the "
    "new part alone.",
)
@option("--backward", group=SOUND, is_flag=True, help="Write what came before PROMPT, and then PROMPT.")
@VOCODER
@option("--run", "run_folders", group=MODEL, type=RUN, multiple=True, help="Use this trained Run; repeat to mix Runs.")
@option(
    "--weight",
    group=MODEL,
    type=float,
    multiple=True,
    help="Mixture weight of the n-th --run; repeat for each.  [default: equal]",
)
@option("--config", group=MODEL, type=CONFIG, help="Train with this configuration: a shipped name, or a YAML file.")
@EXTERNAL
@BUDGET
@ADAPT
@NO_CACHE
@option(
    "--bars",
    group=TUNES,
    type=click.IntRange(1, MAX_BARS),
    help=f"Number of bars to add, 1 to {MAX_BARS}, instead of --seconds.",
)
@token_options(TuneRequest)
@option(
    "--takes",
    group=TUNES,
    type=click.IntRange(1, MAX_TAKES),
    default=TuneRequest.takes,
    help=f"Tails to generate, 1 to {MAX_TAKES}; the one most like the prompt is kept (recordings: with --plan "
    "best-of).",
)
@plan_options
@DEVICE
@FORCE
@click.pass_context
def continue_(
    context: click.Context,
    prompt: Path,
    overrides: tuple[str, ...],
    out: Path,
    variations: int,
    with_page: bool,
    impose: bool | None,
    run_folders: tuple[Path, ...],
    config: Path | None,
    allow_external_weights: bool,
    budget: float | None,
    device: str,
    force: bool,
    **options: Any,
) -> None:
    """Continue PROMPT, a recording or a MIDI file. OUT holds the prompt, sample for sample, and the new part.

    Recordings: the contexts of the recording itself predict what comes next, at once; where it has a pulse, its beats
    do. --adapt or --budget train on the prompt first (about half a minute) and use what they trained where it
    continues the prompt better; --config or KEY=VALUE always train. What was trained is kept on this machine and
    found again.

    MIDI files: without --run, a Markov chain is estimated from the prompt, unless --config, --budget or KEY=VALUE ask
    for a training. OUT may be MIDI, or audio rendered from it.

    A fade, silence or click at either end of a recording is not continued: the new part follows what lies before it.

    Several prompts, or a pattern, are continued into the folder OUT: *.wav -o continued. One that fails is reported,
    and does not lose the others (exit code 1). PROMPT and OUT may be -: stdin and stdout.

    OUT.json, written beside OUT, records the join, seed, settings, timings, measures and warnings. KEY=VALUE overrides
    the configuration, for example training.steps=200.
    """
    from audiogen.config.known_keys import require_known_keys

    prompts, overrides, several = prompts_among(prompt, overrides)
    names_a_file = bool(out.suffix) or out == PIPE
    if len(prompts) > 1 or out.is_dir() or (several and not names_a_file):
        continue_each(context, prompts, overrides, out)
        return
    (prompt,) = prompts
    if PIPE in (prompt, out):
        continue_through_pipes(context, prompt, out, overrides)
        return
    if impose is not None:
        options["match_texture"] = impose
    inputs = (prompt, config, options["morph"])
    require_input(*inputs)
    takes = Takes(variations, **{field.name: options.pop(field.name) for field in fields(Takes)[1:]})
    takes.require_consistent(context)
    options["loop"] = options["loop"] or bool(takes.loop_lengths)
    names = takes.names(out, prompt, options["seed"], options["seconds"])
    outs = output_paths(out, *inputs, names=names)
    page = page_path(out, *inputs, variations=len(outs)) if with_page else None
    written = [*outs, *map(sidecar_of, outs), *([page] if page is not None else [])]

    if options["adapt"] and budget is not None:
        raise InputError("--adapt", "--budget trains on the recording too", "leave out one of the two")
    if run_folders and (config is not None or overrides or budget is not None or options["adapt"]):
        raise InputError("--run", "a Run is already trained", "leave out --config, --adapt, --budget and KEY=VALUE")
    if budget == 0 and (config is not None or overrides) and not is_midi(prompt):
        given = " ".join(overrides) or "--config"
        raise InputError("--budget 0", f"it trains nothing, and {given} needs a training", "leave one of the two out")

    require_known_keys(config, overrides)
    with stage("loading libraries"):
        from audiogen.audio import Writer
        from audiogen.devices import pick_device
        from audiogen.experiment import Experiment, read_experiment
        from audiogen.vocoders.registry import find

    if options["vocoder"] is not None:
        find(options["vocoder"])
    pick_device(device)
    if is_midi(prompt):
        if options["bars"] is not None and context.get_parameter_source("seconds") is not ParameterSource.DEFAULT:
            raise InputError("--bars", "--seconds sets the length too", "leave out one of the two")
        require_suffix(out)
    if not (is_midi(prompt) and is_midi(out)):
        Writer(out, 44100, 1, options["subtype"])  # raises for an impossible name or subtype before any work is done
    if is_midi(prompt):
        from audiogen.cli.continue_tune import continue_tune

        if len(run_folders) > 1:
            raise InputError("--run", "only one Run can continue a MIDI file", "name one")
        run_folder = next(iter(run_folders), None)
        options |= {"loop_lengths": takes.loop_lengths, "set": takes.as_set, "plan": pop_plan(options, context)}
        tune_request = TuneRequest(**without(options, SOUND_ONLY, "a MIDI prompt"))
        refuse_to_overwrite(*written, force=force)
        external = allow_external_weights
        continue_tune(prompt, outs, page, run_folder, external, config, overrides, budget, device, tune_request)
        return

    from audiogen.cli.continue_sound import continue_sound

    experiment = read_experiment(config, overrides) if config is not None or overrides else None
    if not run_folders:  # the vocoder of a Run is checked when the Run is opened
        check_vocoder(experiment or Experiment(), options["vocoder"])
    candidates = pop_candidates(options)
    options = without(options, TUNE_ONLY, "a recording")
    weights, morph, backward = (options.pop(name) for name in ("weight", "morph", "backward"))
    part = options.pop("start"), options.pop("stop")
    cache, budget = options.pop("cache"), math.inf if options.pop("adapt") else budget
    if backward:
        require_forward_options(takes, page, morph)
    if candidates > 1 and (backward or morph is not None or takes.loop_lengths):
        raise InputError("--plan", "takes of a morph, loops and what came before are not judged", "leave it out")
    if candidates > 1 and takes.as_set:
        cause = "the takes of a set avoid those before them, which are not known while candidates are judged"
        raise InputError("--plan", cause, "leave out one of --plan and --set")
    request = Request(**options)
    refuse_to_overwrite(*written, force=force)
    run_options = (run_folders, weights, allow_external_weights)
    continue_sound(
        prompt,
        outs,
        page,
        request,
        morph,
        *run_options,
        experiment,
        budget,
        device,
        cache,
        takes,
        backward,
        part,
        candidates,
    )


def without(options: dict[str, Any], foreign: dict[str, Any], subject: str) -> dict[str, Any]:
    """The options without those that do not apply to the subject.

    Args:
        options: name -> value.
        foreign: options that do not apply -> their defaults.
        subject: what they do not apply to, for the message.

    Raises:
        InputError: one of them is not at its default.
    """
    for name, default in foreign.items():
        if options.get(name, default) != default:
            flag = FLAGS.get(name, name.replace("_", "-"))
            cure = "leave it out, or add --plan best-of" if name == "takes" else "leave it out"
            raise InputError(f"--{flag}", f"it does not apply to {subject}", cure)
    return {name: value for name, value in options.items() if name not in foreign}


def check_vocoder(experiment: Experiment, kind: str | None) -> None:
    """Raise an InputError if the vocoder cannot render: missing weights, or a missing library to download them.

    Args:
        experiment: the experiment whose frames will be rendered.
        kind: of the vocoder; None for the experiment's own.
    """
    from audiogen.vocoders.registry import check, find

    if experiment.representation.kind != "mel":
        return  # refused later, with the right message
    own = experiment.vocoder
    chosen = own.kind if kind is None else kind
    spec = experiment.representation.options.spec
    check(chosen, spec, own.options if chosen == own.kind else find(chosen).Options())
