"""audiogen vocode: a recording (or its mel frames) in, a resynthesis out."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import Command, report, say
from audiogen.cli.options import (
    DEVICE,
    FILE,
    FORCE,
    OVERRIDES,
    SEED,
    refuse_to_overwrite,
    require_input,
    require_output,
)
from audiogen.progress import stage


@click.command("vocode", cls=Command)
@click.argument("path", metavar="IN", type=FILE)
@OVERRIDES
@click.option("-o", "--output", "out", type=FILE, required=True, help="Audio file to write: .wav, .flac, ...")
@click.option("--vocoder", help="Vocoder to render with.  [default: source with --source, else griffin_lim]")
@click.option("--source", type=FILE, help="Recording to render out of.")
@SEED
@click.option("--subtype", help="How samples are stored: PCM_16, PCM_24, FLOAT, ...")
@DEVICE
@FORCE
def vocode(
    path: Path,
    overrides: tuple[str, ...],
    out: Path,
    vocoder: str | None,
    source: Path | None,
    seed: int,
    subtype: str | None,
    device: str,
    force: bool,
) -> None:
    """Analyse the recording IN to mel frames, drop its phases, and render it back.

    The output has the length, rate and channels of IN. IN may also be a .npy file of log-mel frames, [time, 128] or
    [channels, time, 128]. KEY=VALUE sets an option of the vocoder, for example iterations=32 or weights=FOLDER.
    """
    require_input(path, source)
    require_output(out, path, source)
    refuse_to_overwrite(out, force=force)

    from audiogen.config.known_keys import require_vocoder_keys

    require_vocoder_keys(vocoder or ("griffin_lim" if source is None else "source"), overrides)
    with stage("loading libraries"):
        from audiogen.audio import Writer
        from audiogen.vocoders.registry import find

    if vocoder is not None:
        find(vocoder)
    Writer(out, 44100, 1, subtype)  # refuses an impossible name before any work is done

    from audiogen.jobs.vocode import vocode as vocode_file

    seconds = vocode_file(path, out, vocoder, source, seed, subtype, device, overrides)
    report({"output": out, "seconds": seconds})
    say(f"{out}: {seconds:.2f} s")
