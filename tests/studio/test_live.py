"""The live tail in a browser: it plays, its handles move, and what is kept can be made again; skipped without one."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

from audiogen.audio import Recording, read, write
from audiogen.jobs.live_stream import LiveStream
from audiogen.jobs.live_take import TakeWriter
from audiogen.jobs.request import Request
from audiogen.sound.live_engines import SilentEngine
from audiogen.sound.prompt_analysis import PromptParts
from audiogen.studio.hub import Studio
from audiogen.studio.live_session import LiveSession
from audiogen.studio.shelf import Shelf
from tests.conftest import synthetic
from tests.reports.browser import browser
from tests.studio.client import studio_of


def test_a_live_tail_plays_and_the_kept_part_is_made_again_to_the_byte(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    quiet = 0.2 * synthetic(4, channels=2, rate=22050).samples
    write(shelf / "rain.wav", Recording(quiet, 22050), "PCM_16")
    write(shelf / "crowd.wav", Recording(0.2 * synthetic(4, seed=7, rate=22050).samples, 22050), "PCM_16")
    with browser(tmp_path) as page, studio_of(shelf) as client:
        for field, value in (("region", [0.5, 3.5]), ("morph", "crowd.wav")):
            change = {"field": field, "value": value}
            assert client.post("/api/projects/rain.wav/change", change).status == 200
        page.open(client.server.url + "#rain.wav", tmp_path)
        page.until("document.body.dataset.ready && document.querySelector('#live button')")
        shown = "[...document.querySelectorAll('#live code')].map(each => each.textContent)"
        assert page.ask(shown) == ["audiogen stream rain.wav --play --from 0.5 --to 3.5 --morph crowd.wav"]
        page.ask("document.querySelector('#live button').click()")
        page.until("audiogen.live.state.played > 22050")
        for handle, value in (("level", 2), ("morph", 0.5)):
            page.until(f"!document.querySelector('#live [name={handle}]').disabled")
            page.ask(
                f"(i => {{ i.value = {value}; i.dispatchEvent(new Event('input')); }})"
                f"(document.querySelector('#live [name={handle}]'))"
            )
        assert page.ask(shown)[1:] == ['{"morph":0.5}']  # the same on the command's stdin
        played = page.ask("audiogen.live.state.played")
        page.until(f"audiogen.live.state.played > {played + 2 * 22050}")
        page.ask(
            "[...document.querySelectorAll('#live button')].find(each => each.textContent.includes('Keep')).click()"
        )
        page.until("document.querySelector('#take-1.made')")
        page.ask("[...document.querySelectorAll('#live button')].find(each => each.textContent === 'Stop').click()")
        page.until("!audiogen.live.state.playing")
        take = client.project("rain.wav")["takes"][0]
        assert not page.pipe.errors
    folder = shelf / "rain.wav.studio"
    kept = folder / take["file"]
    assert read(kept).seconds > 2
    # The command that the page shows makes the same bytes, from the recording and the sidecar.
    words = shlex.split(take["command"])
    words[2] = str(shelf / "rain.wav")
    words[words.index("--replay") + 1] = str(kept.with_suffix(".json"))
    words[words.index("-o") + 1] = str(tmp_path / "again.wav")
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True, timeout=200)
    assert (tmp_path / "again.wav").read_bytes() == kept.read_bytes()


def test_a_part_that_cannot_be_written_is_a_failed_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = synthetic(1, rate=22050)
    write(tmp_path / "rain.wav", prompt, "PCM_16")
    studio = Studio(Shelf(tmp_path), workers=0)

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("audiogen.jobs.live_take.write_text", full)
    with LiveStream(SilentEngine(1, 22050)) as stream:
        stream.read()
        writer = TakeWriter(prompt, Request())
        session = LiveSession(studio, "rain.wav", stream, writer, PromptParts.whole(prompt), 0, {"seed": 0})
        with pytest.raises(OSError, match="No space left"):
            session.keep(1.0)
    (take,) = studio.project("rain.wav").takes.values()
    assert take.state == "failed"
    assert "No space left" in take.facts["error"]
    assert not (tmp_path / "rain.wav.studio" / take.file).exists()
