"""audiogen demo: the main job on the recording that ships with the package."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import Command, report, say
from audiogen.cli.continue_ import outcome
from audiogen.cli.options import DEVICE, FILE, FORCE, SECONDS, refuse_to_overwrite
from audiogen.progress import stage


@click.command(cls=Command)
@click.option("-o", "--output", "folder", type=FILE, default=Path("demo"), show_default=True, help="Folder to write.")
@SECONDS
@DEVICE
@FORCE
def demo(folder: Path, seconds: float, device: str, force: bool) -> None:
    """Continue the waterfall recording that ships with audiogen, and make a page to look at and listen to."""
    from audiogen.output_names import shipped_recording, sidecar_of

    out, page = folder / "waterfall-continued.wav", folder / "waterfall-continued.html"
    refuse_to_overwrite(out, sidecar_of(out), page, force=force)
    source = shipped_recording()
    say(f"continuing {source.name}: a model is trained on it first, which takes about a minute")

    with stage("loading libraries"):
        from audiogen.jobs.continue_sound import Request, continue_recording, read_prompt
        from audiogen.jobs.run_choice import describe_choice
        from audiogen.reports.continuation_page import write_page

    folder.mkdir(parents=True, exist_ok=True)
    prompt, _ = read_prompt(source)
    sidecar = continue_recording(prompt, out, Request(seconds=seconds), device=device)
    with stage("writing the page"):
        write_page(page, prompt, out, sidecar)
    said = describe_choice(sidecar["settings"])
    report({"outputs": [outcome(out, sidecar)], "page": page})
    say(f"predicted by: {said}")
    say(f"WAV:  {out}")
    say(f"page: {page}")
