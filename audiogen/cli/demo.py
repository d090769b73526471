"""`audiogen demo`: continue the recording that ships with the package."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import OUTPUT, Command, option, print_summary, set_json_result
from audiogen.cli.options import DEVICE, FILE, FORCE, SECONDS, refuse_to_overwrite
from audiogen.errors import InputError
from audiogen.progress import stage


@click.command(cls=Command, examples=("audiogen demo", "audiogen demo -o waterfall --seconds 10"))
@option("-o", "--output", "folder", group=OUTPUT, type=FILE, default=Path("demo"), help="Folder to write.")
@SECONDS
@DEVICE
@FORCE
def demo(folder: Path, seconds: float, device: str, force: bool) -> None:
    """Continue the waterfall recording that ships with audiogen, and write an HTML page to inspect the result.

    Takes about a quarter of a minute.
    """
    from audiogen.output_names import shipped_recording, sidecar_of

    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "it is a file", "name a folder for -o")
    out, page = folder / "waterfall-continued.wav", folder / "waterfall-continued.html"
    refuse_to_overwrite(out, sidecar_of(out), page, force=force)
    source = shipped_recording()
    print_summary(f"continuing {source.name}")

    with stage("loading libraries"):
        from audiogen.cli.continue_sound import json_result
        from audiogen.jobs.continue_sound import Request, continue_recording, read_prompt
        from audiogen.jobs.run_choice import describe_choice
        from audiogen.reports.continuation_page import write_continuation_page

    folder.mkdir(parents=True, exist_ok=True)
    prompt, _ = read_prompt(source)
    sidecar = continue_recording(prompt, out, Request(seconds=seconds), device=device)
    with stage("writing the page"):
        write_continuation_page(page, prompt, out, sidecar)
    set_json_result({"outputs": [json_result(out, sidecar)], "page": page})
    print_summary(f"predicted by: {describe_choice(sidecar['settings'])}")
    print_summary(f"WAV:  {out}")
    print_summary(f"page: {page}")
