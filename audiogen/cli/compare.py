"""audiogen compare: any set of configurations, of sound and of notes, on the same pieces."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import Command, report, say
from audiogen.cli.options import CONFIG, DEVICE, FILE, FORCE, Number, Seconds
from audiogen.progress import stage


@click.command("compare", cls=Command)
@click.argument("configs", nargs=-1, required=True, type=CONFIG, metavar="CONFIG...")
@click.option("--data", type=FILE, required=True, help="Tunes or recordings: a folder, MAESTRO, MusicNet, Nottingham.")
@click.option("-o", "--output", "out", type=FILE, required=True, help="Folder of the report.")
@click.option("--budget", type=Seconds(1), default=90.0, show_default=True, help="Time of each training.")
@click.option("--seeds", type=click.IntRange(1, 99), default=2, show_default=True, help="Trainings of each CONFIG.")
@click.option("--prompts", type=click.IntRange(1), default=4, show_default=True, help="Test pieces to continue.")
@click.option("--prompt-seconds", type=Seconds(0.5), default=10.0, show_default=True, help="Given of each.")
@click.option("--seconds", type=Seconds(0.5), default=10.0, show_default=True, help="Asked for.")
@click.option("--minutes", type=Number(0.05), default=10.0, show_default=True, help="Most sound to learn from.")
@DEVICE
@FORCE
def compare(configs: tuple[Path, ...], data: Path, out: Path, device: str, force: bool, **asked: float | int) -> None:
    """Train each CONFIG on the same pieces, let all continue the same prompts, and write a page, JSON and CSV.

    CONFIG is the name of a shipped configuration (`audiogen configs` lists them) or a YAML file.
    Tunes are rendered for the configurations of sound; what those of notes write is rendered, too. Sound is left as
    Models draw it (`continue --no-match-texture`). A loop, a repetition and a Markov chain stand beside them. A
    comparison that was cut off goes on where it was when it is asked for again.
    """
    from audiogen.config.known_keys import require_known_keys
    from audiogen.errors import InputError

    for config in configs:
        require_known_keys(config, ())
    with stage("loading libraries"):
        from audiogen.jobs.compare.comparison import SETTINGS, compare
        from audiogen.jobs.compare.settings import Settings

    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / SETTINGS).is_file()):
        raise InputError(out, "it exists and is no comparison", "name another folder")
    found = compare(configs, data, out, Settings(**asked), device, force)  # type: ignore[arg-type]
    for told in found:
        texture, nats = (told[name]["mean"] for name in ("texture", "nats_per_note"))
        parts = [told["candidate"]]
        parts += [] if texture is None else [f"texture {texture:.2f}"]
        parts += [] if nats is None else [f"{nats:.2f} nats a note"]
        say(", ".join(parts))
    report({"page": out / "index.html", "summary": found})
    say(f"{out / 'index.html'}")
