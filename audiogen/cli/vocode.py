"""`audiogen vocode`: analyse a recording to mel frames and resynthesise it."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import OUTPUT, SOUND, Command, option, print_summary, set_json_result
from audiogen.cli.options import (
    DEVICE,
    FILE,
    FORCE,
    OVERRIDES,
    SEED,
    SUBTYPE,
    VOCODER_HELP,
    VOCODER_KIND,
    refuse_to_overwrite,
    require_input,
    require_output,
)
from audiogen.progress import stage


@click.command(
    "vocode",
    cls=Command,
    examples=(
        "audiogen vocode rain.wav -o resynthesis.wav",
        "audiogen vocode rain.wav -o resynthesis.wav --vocoder griffin_lim iterations=100",
        "audiogen vocode frames.npy -o out.wav --source rain.wav",
    ),
)
@click.argument("path", metavar="IN", type=FILE)
@OVERRIDES
@option("-o", "--output", "out", group=OUTPUT, type=FILE, required=True, help="Audio file to write: .wav, .flac, ...")
@option(
    "--vocoder",
    group=SOUND,
    type=VOCODER_KIND,
    help=f"{VOCODER_HELP}  [default: source with --source, else griffin_lim]",
)
@option("--source", group=SOUND, type=FILE, help="Recording that supplies the spectra, for --vocoder source.")
@SEED
@SUBTYPE
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
    """Analyse the recording IN to mel frames, discard its phases, and resynthesise it.

    The output has the length, sample rate and channels of IN. IN may also be a .npy file of log-mel frames,
    [time, 128] or [channels, time, 128]. KEY=VALUE sets an option of the vocoder, such as weights=FOLDER.
    """
    require_input(path, source)
    require_output(out, path, source)

    from audiogen.config.known_keys import require_vocoder_keys

    require_vocoder_keys(vocoder or ("griffin_lim" if source is None else "source"), overrides)
    with stage("loading libraries"):
        from audiogen.audio import Writer
        from audiogen.vocoders.registry import find

    if vocoder is not None:
        find(vocoder)
    Writer(out, 44100, 1, subtype)  # raises for an impossible name before any work is done
    refuse_to_overwrite(out, force=force)

    from audiogen.jobs.vocode import vocode as vocode_file

    seconds = vocode_file(path, out, vocoder, source, seed, subtype, device, overrides)
    set_json_result({"output": out, "seconds": seconds})
    print_summary(f"{out}: {seconds:.2f} s")
