"""Train Models with different heads on the first part of a recording and evaluate them on the rest.

python examples/compare_heads.py rain.wav --heads point mixture flow --steps 400
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import audiogen


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--heads", nargs="+", default=["point", "mixture", "flow"])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3, help="continuations of each Model")
    parser.add_argument("--split", type=float, default=0.5, help="fraction of the recording to train on")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="configuration of all Models")
    options = parser.parse_args(arguments)

    whole = audiogen.read(options.recording)
    join = round(options.split * whole.length)
    prompt, rest = whole.cut(0, join), whole.cut(join, whole.length)
    print("head      seconds  texture  copied  looped")
    for head in options.heads:
        overrides = [f"model.head={{kind: {head}}}", f"training.steps={options.steps}", *options.overrides]
        run = audiogen.train(audiogen.read_experiment(overrides=overrides), prompt)
        for seed in range(options.seeds):
            samples = audiogen.continue_audio(
                prompt.samples, prompt.sample_rate, rest.seconds, seed, run=run, tail_only=True
            )
            tail = audiogen.Recording(samples, prompt.sample_rate)
            result = audiogen.evaluate(tail, rest, prompt).output
            values = [result.overall, result.copied, result.looped]
            columns = "  ".join("     –" if value is None else f"{value:6.2f}" for value in values)
            print(f"{head:<9} {run.metrics['seconds']:7.1f}   {columns}")


if __name__ == "__main__":
    main()
