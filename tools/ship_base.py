"""Install a trained Run as the shipped base, with a model card.

python tools/ship_base.py RUN --manifest MANIFEST.tsv [--figures FILE.md]

The manifest lists the recordings (columns path, source_package, licence, author); training files that it does not list
are synthetic textures.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

from audiogen.pretrained import BASE
from audiogen.run import Run

CARD = """# The base

A pretrained Model of mel frames for any recording. `audiogen continue PROMPT -o OUT.wav` uses it without
further training; with --adapt a Model is also trained on the prompt, and the better of the two is used.

- {parameters:,} parameters, trained for {steps} steps ({hours:.1f} hours on one CPU core); validation loss {loss:.4f}
  on {held} held-out files; exponential moving average of the weights at step {best}.
- Trained by `audiogen train configs/mel/pretrain.yaml --data FOLDER -o RUN` (resumable: `--resume`) on {real}
  recordings and {synthetic} synthetic textures of `tools/make_synthetic_textures.py`. `config.yaml` holds all
  settings.
- A base trained on your own sounds suits your work better: use the same command, then `audiogen continue --run RUN`.
{figures}
## Licence and credits

The weights are available under CC-BY-SA 4.0, which the strictest of the recordings' licences requires. Trained on:

| package | licence | author | recordings |
| --- | --- | --- | --- |
{credits}

Recordings: {names}.
"""


def main() -> None:
    """Copy the files of the Run that ship, and write the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--figures", type=Path, help="Markdown file to include in the card")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    with arguments.manifest.open(encoding="utf-8", newline="") as file:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(file, delimiter="\t")}
    split = run.metrics["split"]
    used = [rows[name] for name in split if name in rows]
    credits = Counter((row["source_package"], row["licence"], row["author"]) for row in used)
    card = CARD.format(
        parameters=run.metrics["parameters"],
        steps=run.metrics["steps"],
        best=run.metrics["best_step"],
        loss=run.metrics["validation_loss"],
        hours=run.metrics["seconds"] / 3600,
        held=sum(part == "validation" for part in split.values()),
        real=len(used),
        synthetic=len(split) - len(used),
        figures="\n" + arguments.figures.read_text("utf-8").strip() + "\n" if arguments.figures else "",
        credits="\n".join(f"| {' | '.join(key)} | {count} |" for key, count in sorted(credits.items())),
        names=", ".join(sorted(Path(row["path"]).stem for row in used)),
    )
    kept = ("steps", "best_step", "validation_loss", "parameters")
    experiment = replace(run.experiment, predictor="contexts")  # they keep more of the order: docs/order.md
    replace(run, experiment=experiment, metrics={name: run.metrics[name] for name in kept}).save(BASE)
    (BASE / "CARD.md").write_text(card, encoding="utf-8")
    print(f"{BASE}: {sum(file.stat().st_size for file in BASE.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
