"""audiogen prepare: a folder of recordings in, a cache of mel frames out."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import Command, report, say
from audiogen.cli.options import CONFIG, FILE, FORCE, OVERRIDES
from audiogen.progress import stage


@click.command("prepare", cls=Command)
@click.argument("folder", type=FILE)
@OVERRIDES
@click.option("-o", "--output", "cache", type=FILE, required=True, help="Folder of the cache.")
@click.option("--config", type=CONFIG, help="Analyse for this configuration: a shipped one's name, or a YAML file.")
@FORCE
def prepare(folder: Path, overrides: tuple[str, ...], cache: Path, config: Path | None, force: bool) -> None:
    """Analyse the recordings in FOLDER into a cache of mel frames, which `audiogen train --data` then takes.

    A cache can be prepared again at any time: only recordings that are new or edited are analysed.
    KEY=VALUE overrides the configuration, for example representation.channels=2.
    """
    from audiogen.config.known_keys import require_known_keys
    from audiogen.errors import InputError

    if folder.is_file():
        raise InputError(folder, "it is a file", "name its folder; `audiogen train --data` takes one file as it is")

    require_known_keys(config, overrides)
    with stage("loading libraries"):
        from audiogen.data.cache import is_cache
        from audiogen.experiment import read_experiment

    experiment = read_experiment(config, overrides)
    if experiment.representation.kind != "mel":
        raise InputError(config or "representation", "tunes need no cache", "train on their folder")
    options = experiment.representation.options
    if cache.is_file():
        raise InputError(cache, "it is a file", "name a folder for the cache")
    if cache.exists() and not is_cache(cache) and not force and any(cache.iterdir()):
        raise InputError(cache, "it exists and is no cache", "use --force to write into it, or name another")

    with stage("loading libraries"):
        from audiogen.training.mel.mel_splits import prepare_folder
    prepared = prepare_folder(folder, cache, options.spec, options.channels or 1)
    seconds = sum(len(item.frames()) for item in prepared) / options.spec.frame_rate
    report({"cache": cache, "recordings": len(prepared), "seconds": round(seconds, 3)})
    say(f"{cache}: {len(prepared)} recordings, {seconds / 60:.1f} minutes")
