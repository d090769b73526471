"""Measures how long the studio keeps one waiting, and prints the table of docs/studio.md.

    python tools/check_studio.py [RECORDING ...] [--repeat N] [--write]

From drop to first sound: a recording is sent to a running studio whose worker is ready, opened, three takes are asked
for, and the first samples of the first are fetched, as the page does. An hour: a WAV of an hour is opened, and the
pictures of the first screen are fetched, which shows its last minute. Medians, and the longest.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Writer
from audiogen.output_names import shipped_recording
from audiogen.studio.server import StudioServer
from audiogen.text_files import write_text
from tests.studio.client import Client

PAGE = Path(__file__).parents[1] / "docs" / "studio.md"
BEGIN, END = "<!-- by tools/check_studio.py -->", "<!-- end -->"
HOUR_RATE = 44100
WIDTH = 900  # pixels of a lane


def first_sound(client: Client, recording: Path, number: int) -> dict[str, float]:
    """Seconds from the drop until a recording is open, and until the first take sounds."""
    name = f"{number}-{recording.name}"
    begun = time.monotonic()
    assert client.ask("PUT", f"/api/files/{name}", recording.read_bytes()).status == 200
    assert client.get(f"/api/projects/{name}").status == 200
    opened = time.monotonic() - begun
    assert client.post(f"/api/projects/{name}/takes", {"count": 3}).status == 200
    while not client.get(f"/api/projects/{name}/audio?take=1&start=0&stop=4800").content:
        pass
    heard = time.monotonic() - begun
    client.until(name, lambda takes: all(take["state"] == "made" for take in takes))
    return {"opened": opened, "first sound": heard, "three takes of 30 s": time.monotonic() - begun}


def write_hour(path: Path) -> None:
    """An hour of stereo noise that swells, 16 bits."""
    minute = np.random.default_rng(0).standard_normal((2, 60 * HOUR_RATE)).astype(np.float32)
    with Writer(path, HOUR_RATE, 2, "PCM_16") as writer:
        for number in range(60):
            writer.write(minute * (0.02 + 0.002 * number), exact=True)


def open_hour(client: Client, name: str) -> dict[str, float]:
    """Seconds until an hour is open, until its first screen is drawn, and until every peak of it is known."""
    begun, spent = time.monotonic(), time.process_time()
    project: dict[str, Any] = client.get(f"/api/projects/{name}").json
    opened = time.monotonic() - begun
    first, last = (round(seconds * project["sample_rate"]) for seconds in project["project"]["settings"]["region"])
    screen = (last - first) / WIDTH
    for kind, columns, level in (
        ("peaks", 512, int(np.log2(screen))),
        ("spectrogram", 256, int(np.log2(1.5 * screen))),
    ):
        size = columns << level
        for tile in range(first // size, last // size + 1):
            assert client.get(f"/api/projects/{name}/{kind}/{level}/{tile}").status == 200
    drawn, computed = time.monotonic() - begun, time.process_time() - spent
    level = int(np.log2(project["length"] / WIDTH))
    while client.get(f"/api/projects/{name}/peaks/{level}/0").headers["x-estimate"] == "1":
        time.sleep(0.2)
    return {
        "opened": opened,
        "first screen": drawn,
        "computing for it": computed,
        "all peaks": time.monotonic() - begun,
    }


def rows_of(title: str, measured: list[dict[str, float]]) -> list[str]:
    """Rows of the table: the median of each wait, and the longest."""
    waits = {name: [each[name] for each in measured] for name in measured[0]}
    return [
        f"| {title}: {name} | {len(values)} | {statistics.median(values):.1f} | {max(values):.1f} |"
        for name, values in waits.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", nargs="*", type=Path, help="default: the recording that ships")
    parser.add_argument("--repeat", type=int, default=5, help="times for each recording")
    parser.add_argument("--hour", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--write", action="store_true", help="put the table into docs/studio.md")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder, StudioServer(Path(folder), workers=2) as server:
        client = Client(server)
        if options.hour:
            write_hour(Path(folder) / "hour.wav")
        while not server.studio.queue.ready:
            time.sleep(0.1)
        for recording in options.recordings or [shipped_recording()]:
            rows += rows_of(
                recording.stem, [first_sound(client, recording, number) for number in range(options.repeat)]
            )
        if options.hour:
            rows += rows_of("an hour's WAV", [open_hour(client, "hour.wav")])
    loads = f"load averages {load:.1f} before and {os.getloadavg()[0]:.1f} after"
    machine = f"{platform.machine()}, {os.cpu_count()} cores; {loads}"
    head = "| wait | times | s: median | longest |\n|---|---|---|---|"
    table = "\n".join([f"{machine}; {time.strftime('%Y-%m-%d')}.\n", head, *rows])
    print(table)
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
        write_text(PAGE, f"{text[:start]}\n\n{table}\n\n{text[stop:]}")


if __name__ == "__main__":
    main()
