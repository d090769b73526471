"""`audiogen prepare`: analyse a folder of recordings into a cache of mel frames."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import MODEL, OUTPUT, Command, count, option, print_summary, set_json_result
from audiogen.cli.options import CONFIG, FILE, FORCE, OVERRIDES
from audiogen.progress import stage


@click.command(
    "prepare",
    cls=Command,
    examples=(
        "audiogen prepare rain/ -o rain.cache",
        "audiogen prepare rain/ -o rain.cache representation.channels=2",
        "audiogen train mel/lstm-flow --data rain.cache -o runs/rain",
    ),
)
@click.argument("folder", type=FILE)
@OVERRIDES
@option("-o", "--output", "cache", group=OUTPUT, type=FILE, required=True, help="Folder of the cache.")
@option(
    "--config",
    group=MODEL,
    type=CONFIG,
    help="Configuration whose representation to use: a shipped name, or a YAML file.  [default: base]",
)
@FORCE
def prepare(folder: Path, overrides: tuple[str, ...], cache: Path, config: Path | None, force: bool) -> None:
    """Analyse the recordings in FOLDER into a cache of mel frames, for `audiogen train --data`.

    Running it again updates the cache: only new and modified recordings are analysed. KEY=VALUE overrides the
    configuration.
    """
    from audiogen.config.known_keys import require_known_keys
    from audiogen.errors import InputError

    if folder.is_file():
        raise InputError(folder, "it is a file", "name its folder; `audiogen train --data` takes one file directly")

    require_known_keys(config, overrides)
    with stage("loading libraries"):
        from audiogen.data.cache import is_cache
        from audiogen.experiment import read_experiment

    experiment = read_experiment(config, overrides)
    if experiment.representation.kind != "mel":
        raise InputError(config or "representation", "MIDI files need no cache", "train on their folder")
    options = experiment.representation.options
    if cache.is_file():
        raise InputError(cache, "it is a file", "name a folder for the cache")
    if cache.exists() and not is_cache(cache) and not force and any(cache.iterdir()):
        raise InputError(cache, "it exists and is not a cache", "use --force to write into it, or name another")

    with stage("loading libraries"):
        from audiogen.training.mel.mel_splits import prepare_folder
    prepared = prepare_folder(folder, cache, options.spec, options.channels or 1)
    seconds = sum(len(item.frames()) for item in prepared) / options.spec.frame_rate
    set_json_result({"cache": cache, "recordings": len(prepared), "seconds": round(seconds, 3)})
    print_summary(f"{cache}: {count(len(prepared), 'recording')}, {seconds / 60:.1f} minutes")
