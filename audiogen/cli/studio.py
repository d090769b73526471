"""`audiogen studio`: a page in the browser on which takes are made, compared, kept and exported."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from audiogen.cli.command import GENERAL, Command, option, print_output, set_json_result
from audiogen.cli.options import FILE
from audiogen.errors import InputError
from audiogen.progress import stage

MAX_WORKERS = 16


@click.command(
    cls=Command,
    examples=("audiogen studio", "audiogen studio recordings/", "audiogen studio recordings/ --port 8000 --no-browser"),
)
@click.argument("folder", metavar="[FOLDER]", type=FILE, required=False)
@option("--port", group=GENERAL, type=click.IntRange(0, 65535), default=0, help="Port to listen at; 0 for a free one.")
@option("--no-browser", group=GENERAL, is_flag=True, help="Print the address without opening a browser.")
@option(
    "--workers",
    group=GENERAL,
    type=click.IntRange(1, MAX_WORKERS),
    help=f"Processes that make takes side by side, 1 to {MAX_WORKERS}.  [default: cores, at most 4]",
)
@option(
    "--max-upload",
    group=GENERAL,
    type=click.IntRange(1, 1 << 20),
    default=4096,
    metavar="MB",
    help="Largest file that can be dropped on the page, MB.",
)
def studio(folder: Path | None, port: int, no_browser: bool, workers: int | None, max_upload: int) -> None:
    """Open a page on which the recordings and MIDI files of FOLDER are continued, until Ctrl-C.

    FOLDER is the current one by default. Files dropped on the page are copied into it. The takes of rain.wav, and what
    was decided about them, lie in rain.wav.studio beside it.

    The page is served to this machine only, at an address with a random token, and loads nothing from elsewhere.

    Exit code: 130 after Ctrl-C.
    """
    from audiogen.extras import install_command, is_installed  # importlib.metadata: too slow to import for --help

    if not is_installed("studio"):
        raise InputError("audiogen studio", "FastAPI is not installed", install_command("studio"))
    with stage("loading libraries"):
        from audiogen.audio import AudioWarning
        from audiogen.devices import count_processors
        from audiogen.studio.server import StudioServer

    warnings.simplefilter("ignore", AudioWarning)  # the page shows those of takes
    count = workers or min(count_processors(), 4)
    with StudioServer(folder or Path(), port, count, max_upload << 20) as server:
        set_json_result({"url": server.url})
        print_output(f"{server.url}\nthe studio is open; Ctrl-C ends it")
        if not no_browser:
            click.launch(server.url)
        server.wait()
