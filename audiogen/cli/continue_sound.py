"""`audiogen continue` on a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogen.cli.command import print_summary, set_json_result
from audiogen.jobs.request import Request
from audiogen.output_names import sidecar_of
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.audio import Recording
    from audiogen.cli.naming import Takes
    from audiogen.experiment import Experiment


def continue_sound(
    prompt: Path,
    outs: list[Path],
    page: Path | None,
    request: Request,
    morph: Path | None,
    run_folders: tuple[Path, ...],
    weights: tuple[float, ...],
    allow_external_weights: bool,
    experiment: Experiment | None,
    budget: float | None,
    device: str,
    cache: bool,
    takes: Takes,
    backward: bool,
    part: tuple[float | None, float | None],
    candidates: int = 1,
) -> None:
    """Continue a recording into each of ``outs``, and write a page about them if one is named.

    Args:
        prompt: audio file.
        outs: audio files to write.
        page: HTML file to write.
        request: properties of the first tail.
        morph: recording to morph into.
        run_folders: Runs that predict; empty to use the base, or to train.
        weights: of the Runs in a mixture; empty for equal ones.
        allow_external_weights: as of `Run.open`.
        experiment: what to train; None for the default.
        budget: training time limit in seconds, infinite for none; None or 0 for the base.
        device: "auto", "cpu" or "cuda".
        cache: whether to look for models trained before, and to keep new ones.
        takes: what distinguishes the outputs: seeds, or lengths of loops; and whether they form a set.
        backward: write what came before the recording.
        part: start and end of the part of the recording to continue, seconds; None for the recording's own.
        candidates: tails to generate for each of them, of which the best is written.
    """
    with stage("loading libraries"):
        from audiogen.jobs.backward import continue_backward
        from audiogen.jobs.best_take import summarise_choice
        from audiogen.jobs.continue_set import continue_set
        from audiogen.jobs.continue_sound import continue_variations, read_prompt
        from audiogen.jobs.continuer_choice import MorphTarget
        from audiogen.jobs.run_choice import describe_choice
        from audiogen.jobs.take_set import compare_takes
        from audiogen.sound.run_mixture import open_runs

    recording, prompt_warnings = read_prompt(prompt, *part)
    run = open_runs(run_folders, weights, allow_external_weights) if run_folders or weights else None
    morph_target = None
    if morph is not None:
        target, target_warnings = read_prompt(morph)
        morph_target, prompt_warnings = MorphTarget(target), [*prompt_warnings, *target_warnings]
    if takes.loop_lengths:  # of the same loop
        lengths = zip(outs, takes.loop_lengths, strict=True)
        requests = [(path, replace(request, seconds=length)) for path, length in lengths]
    else:
        requests = [(path, replace(request, seed=request.seed + index)) for index, path in enumerate(outs)]
    sidecars: list[dict[str, Any]] = []
    settings = (run, experiment, budget, device, prompt_warnings)
    if backward:
        made = continue_backward(recording, requests, *settings, cache)
    elif takes.as_set:
        made = continue_set(recording, requests, *settings, morph_target, cache)
    else:
        made = continue_variations(recording, requests, *settings, morph_target, cache, candidates)
    for sidecar in made:
        path = outs[len(sidecars)]
        sidecars.append(sidecar)
        total, new = sidecar["length"] / sidecar["sample_rate"], sidecar["settings"]["seconds"]
        what = f"{total:.2f} s, {new:.2f} s of it new"
        if request.loop:
            whole = "; it loops as a whole (--tail-only: the new part alone)"
            what += whole if request.writes_prompt else ", which loops"
        print_summary(f"{path}: {what}; details in {sidecar_of(path).name}")
        if "plan" in sidecar:
            print_summary(summarise_choice(sidecar["plan"]))
    if page is not None:
        from audiogen.reports.variations_page import write_variations_page

        with stage("writing the page"):
            write_variations_page(page, _before_tail(recording, sidecars[0]), outs, sidecars)
        print_summary(f"page: {page}")
    choice = describe_choice(sidecars[0]["settings"])
    if morph is not None:
        choice += f"; {morph.name} by: {describe_choice(sidecars[0]['settings']['morph'])}"
    print_summary(f"predicted by: {choice}")
    print_summary(f"took: {describe_times([sidecar['timings'] for sidecar in sidecars])}")
    result: dict[str, Any] = {
        "outputs": [json_result(*each) for each in zip(outs, sidecars, strict=True)],
        "page": page,
    }
    if takes.as_set:
        with stage("comparing the takes"):
            report = compare_takes(recording, outs)
        if report is not None:
            print_summary(str(report))
        result["set"] = report and report.as_json()
    set_json_result(result)


def describe_times(timings: Sequence[Mapping[str, float]]) -> str:
    """Where the time went, by the timings of each tail's sidecar; what was done once for all tails counts once."""
    seconds = dict(timings[-1])
    for name in ("generation", "measuring"):
        seconds[name] = sum(each[name] for each in timings)
    return ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items() if value >= 0.05)


def _before_tail(recording: Recording, sidecar: dict[str, Any]) -> Recording:
    """What the tail follows; all of the recording for an ambience."""
    start, stop = sidecar["prompt_range"]
    return recording.cut(start, stop) if stop > start else recording


def json_result(out: Path, sidecar: dict[str, Any]) -> dict[str, Any]:
    """One continuation for --json: its path, its sidecar without the experiment, and what predicted it."""
    from audiogen.jobs.run_choice import describe_choice

    omitted = ("experiment", "training", "runs")
    settings = {name: value for name, value in sidecar["settings"].items() if name not in omitted}
    predictor = {"text": describe_choice(sidecar["settings"]), "run": sidecar["settings"].get("run")}
    predictor |= {"choice": (sidecar["settings"]["training"] or {}).get("choice")}
    return {**sidecar, "output": out, "sidecar": sidecar_of(out), "predicted_by": predictor, "settings": settings}
