"""The job of `audiogen continue --set`: takes for a random container, equally loud and apart from each other.

The takes are generated one after the other, each avoiding what those before it sound like (`PreparedTails.as_set`), in
temporary files. When the loudness of all is known, they are written at the highest that the true peak of each permits.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from audiogen.audio import AudioWarning, Recording, open_blocks
from audiogen.experiment import Experiment
from audiogen.jobs.continue_sound import continue_variations
from audiogen.jobs.continuer_choice import MorphTarget, Runs
from audiogen.jobs.loudness_target import Level, level_in
from audiogen.jobs.provenance import collect_warnings, remove_output_on_failure
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import subtype_of, writer_of
from audiogen.jobs.take_set import at_one_loudness, request_for_set
from audiogen.output_names import sidecar_of
from audiogen.sound.prompt_analysis import PromptParts
from audiogen.text_files import dump_json, write_text

OWN_SETTINGS = ("subtype", "metadata", "loudness")
"""Settings that are those of the files, not of the temporary ones."""


def continue_set(
    prompt: Recording,
    outputs: Sequence[tuple[Path, Request]],
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    prompt_warnings: Sequence[str] = (),
    morph_target: MorphTarget | None = None,
    cache: bool = True,
) -> Iterator[dict[str, Any]]:
    """Write a set of takes: tails alone, as loud as the prompt unless their requests say otherwise.

    Args:
        prompt: the recording. All arguments are those of `continue_variations`.
        outputs: path and request of each take.

    Yields:
        The content of each sidecar, after all takes are generated.
    """
    wanted = [(out, request_for_set(prompt, request)) for out, request in outputs]
    for out, request in wanted:
        writer_of(PromptParts.whole(prompt), out, request).rehearse()
    choice = (run, experiment, budget, device, (), morph_target, cache)
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / f"{index}.wav" for index in range(len(wanted))]
        requests = [replace(request, loudness=None, subtype="FLOAT", metadata=False) for _, request in wanted]
        rendered = continue_variations(
            prompt, list(zip(names, requests, strict=True)), *choice, as_set=True, drafts=True
        )
        sidecars = [_generated(rendered, *each) for each in zip(names, (out for out, _ in wanted), strict=True)]
        loudness = wanted[0][1].loudness
        levels = [None] * len(names) if loudness is None else at_one_loudness([level_in(n, loudness) for n in names])
        for number, (name, (out, request), sidecar, level) in enumerate(
            zip(names, wanted, sidecars, levels, strict=True)
        ):
            sidecar["settings"] |= {"set": {"take": number + 1, "takes": len(names)}}
            sidecar["warnings"] = [*prompt_warnings, *sidecar["warnings"]]
            yield _written(prompt, name, out, request, sidecar, level)


def _generated(rendered: Iterator[dict[str, Any]], name: Path, out: Path) -> dict[str, Any]:
    """The sidecar of the next take, whose warnings name its output instead of the temporary file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        sidecar = next(rendered)
    sidecar["warnings"] = [text.replace(f"{name}: ", f"{out}: ") for text in sidecar["warnings"]]
    for text in sidecar["warnings"]:
        warnings.warn(text, AudioWarning, stacklevel=3)
    return sidecar


def _written(
    prompt: Recording, name: Path, out: Path, request: Request, sidecar: dict[str, Any], level: Level | None
) -> dict[str, Any]:
    """Write a take from its temporary file at its level, and its sidecar."""
    start, stop = sidecar["prompt_range"]
    parts = replace(PromptParts.whole(prompt), start=start, stop=stop)
    gain = 1.0 if level is None else 10 ** (level.gain_db / 20)
    with collect_warnings() as texts, writer_of(parts, out, request) as writer, open_blocks(name) as blocks:
        for block in blocks:
            writer.write(block * block.dtype.type(gain), exact=not block.any())
    sidecar |= {
        "output": out.name,
        "subtype": subtype_of(prompt, out, request),
        "settings": sidecar["settings"] | {key: getattr(request, key) for key in OWN_SETTINGS},
        "warnings": [*sidecar["warnings"], *texts],
    }
    if level is not None:
        sidecar |= {"loudness_lufs": level.lufs, "loudness": asdict(level)}
    with remove_output_on_failure(out):
        write_text(sidecar_of(out), dump_json(sidecar))
    return sidecar
