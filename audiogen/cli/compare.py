"""`audiogen compare`: train configurations on the same data and compare their continuations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from audiogen.cli.command import DATA, MODEL, OUTPUT, Command, option, print_summary, set_json_result
from audiogen.cli.options import CONFIG, DEVICE, FILE, FORCE, Duration, Number
from audiogen.jobs.compare.settings import Settings
from audiogen.progress import stage


@click.command(
    "compare",
    cls=Command,
    examples=(
        "audiogen compare mel/lstm-flow mel/gan mel/hmm --data rain/ -o comparison",
        "audiogen compare midi/lstm mel/lstm-flow --data maestro-v3.0.0/ -o comparison --budget 10:00 --seeds 5",
    ),
)
@click.argument("configs", nargs=-1, required=True, type=CONFIG, metavar="CONFIG...")
@option(
    "--data",
    group=DATA,
    type=FILE,
    required=True,
    help="MIDI files or recordings: a folder, or the MAESTRO, MusicNet or Nottingham data set.",
)
@option("-o", "--output", "out", group=OUTPUT, type=FILE, required=True, help="Folder of the report.")
@option(
    "--budget",
    group=MODEL,
    type=Duration(1),
    default=Settings.budget,
    help="Time limit of each training, from 1 s: 90, 10:00.",
)
@option(
    "--seeds", group=MODEL, type=click.IntRange(1, 99), default=Settings.seeds, help="Trainings per CONFIG, 1 to 99."
)
@option(
    "--prompts", group=DATA, type=click.IntRange(1), default=Settings.prompts, help="Number of test prompts, from 1."
)
@option(
    "--prompt-seconds",
    group=DATA,
    type=Duration(0.5),
    default=Settings.prompt_seconds,
    help="Length of each prompt in seconds, from 0.5.",
)
@option(
    "--seconds",
    group=DATA,
    type=Duration(0.5),
    default=Settings.seconds,
    help="Length of each continuation in seconds, from 0.5.",
)
@option(
    "--minutes",
    group=DATA,
    type=Number(0.05),
    default=Settings.minutes,
    help="Training audio limit in minutes, from 0.05, for models of sound.",
)
@DEVICE
@FORCE
def compare(configs: tuple[Path, ...], data: Path, out: Path, device: str, force: bool, **options: float | int) -> None:
    """Train each CONFIG on the same data, let all continue the same prompts, and write a page, JSON and CSV.

    CONFIG is the name of a shipped configuration (`audiogen configs` lists them) or a YAML file. Models of sound and
    of MIDI can be compared with each other: MIDI files and their continuations are rendered to audio. Sound is
    compared as predicted, without texture matching, and beside it as the model itself draws it (raw), with the
    likelihood under the model where it has one. A loop, a repetition, a Markov chain, and controls without a model
    (patches of the prompt in random order, what followed similar moments, and a factor oracle) are added as baselines.
    The same command resumes a comparison that was interrupted.
    """
    from audiogen.config.known_keys import require_known_keys
    from audiogen.errors import InputError

    for config in configs:
        require_known_keys(config, ())
    with stage("loading libraries"):
        from audiogen.jobs.compare.comparison import SETTINGS, compare
        from audiogen.jobs.compare.summary import DESCRIPTIONS, IDENTITY, RAW_PREFIX, raw_beside_finished

    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / SETTINGS).is_file()):
        raise InputError(out, "it exists and is not a comparison", "name another folder")
    summary = compare(configs, data, out, Settings(**options), device, force)  # type: ignore[arg-type]
    beside = raw_beside_finished(summary)
    for row in summary:
        texture, nats = (row[name]["mean"] for name in ("texture", "nats_per_note"))
        parts = [row["candidate"]]
        parts += [] if texture is None else [f"texture distance {texture:.2f}"]
        parts += [] if nats is None else [f"{nats:.2f} nats per note"]
        others = {name: row[name]["mean"] for name in row if name not in (*DESCRIPTIONS, *IDENTITY)}
        parts += [
            f"{name} {value:.3g}" for name, value in others.items() if value is not None and RAW_PREFIX not in name
        ]
        print_summary(", ".join(parts))
        if row["candidate"] in beside:
            print_summary(f"  raw to finished: {beside_text(beside[row['candidate']])}")
    set_json_result({"page": out / "index.html", "summary": summary})
    print_summary(f"{out / 'index.html'}")


def beside_text(measures: Mapping[str, tuple[float | None, ...]]) -> str:
    """Raw and finished values of each measure; the likelihood of the real continuation beside them."""
    parts = []
    for name, (raw, finished, real) in measures.items():
        if raw is None or finished is None:
            parts.append(f"no {name}")
            continue
        parts.append(f"{name} {raw:.2f} to {finished:.2f}" + ("" if real is None else f" (real {real:.2f})"))
    return ", ".join(parts)
