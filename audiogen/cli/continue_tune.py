"""`audiogen continue` on a MIDI file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogen.cli.command import count, print_summary, set_json_result
from audiogen.cli.plan_options import plan_summary
from audiogen.jobs.tune_request import TuneRequest
from audiogen.output_names import sidecar_of
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.tunes.tune_continuation import ContinuedTune


def continue_tune(
    prompt: Path,
    outs: Sequence[Path],
    page: Path | None,
    run_folder: Path | None,
    allow_external_weights: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    budget: float | None,
    device: str,
    request: TuneRequest,
) -> None:
    """Continue a MIDI file into each of ``outs``, and write a page about them if one is named.

    Args:
        prompt: MIDI file.
        outs: MIDI or audio files to write, with consecutive seeds.
        page: HTML file to write.
        run_folder: Run that predicts; None to train, or to estimate a Markov chain.
        allow_external_weights: as of `Run.open`.
        config: YAML file to train with.
        overrides: ``key=value`` of the configuration.
        budget: training time limit in seconds; None or 0 trains only with a ``config`` or ``overrides``.
        device: "auto", "cpu" or "cuda".
        request: properties of the first tail.
    """
    with stage("loading libraries"):
        from audiogen.jobs.continue_tune import continue_tune, prompt_experiment
        from audiogen.jobs.run_choice import describe_choice
        from audiogen.run import Run

    trains = config is not None or overrides or budget
    experiment = prompt_experiment(config, overrides) if run_folder is None and trains else None
    run = Run.open(run_folder, allow_external_weights) if run_folder is not None else None
    requests = [(path, replace(request, seed=request.seed + index)) for index, path in enumerate(outs)]
    tunes: list[ContinuedTune] = []
    sidecars: list[dict[str, Any]] = []
    for path, tune in zip(outs, continue_tune(prompt, requests, run, experiment, budget, device), strict=True):
        added = tune.sidecar["added"]
        if page is not None:
            tunes.append(tune)
        sidecars.append(tune.sidecar)
        new = f"{count(added['notes'], 'note')}, {added['seconds']:.2f} s added"
        print_summary(f"{path}: {new}; details in {sidecar_of(path).name}")
        if "plan" in tune.sidecar:
            print_summary(plan_summary(tune.sidecar["plan"]))
    if page is not None:
        from audiogen.reports.tune_variations_page import write_tune_variations_page

        with stage("writing the page"):
            write_tune_variations_page(page, prompt, outs, tunes)
        print_summary(f"page: {page}")
    choice = describe_choice(sidecars[0]["settings"])
    print_summary(f"predicted by: {choice}")
    if run is None:
        print_summary("a Run has more ideas: audiogen train midi/lstm --data FOLDER -o RUN, then --run RUN")
    outputs = [
        {**sidecar, "output": path, "sidecar": sidecar_of(path), "predicted_by": {"text": choice}}
        for path, sidecar in zip(outs, sidecars, strict=True)
    ]
    set_json_result({"outputs": outputs, "page": page})
