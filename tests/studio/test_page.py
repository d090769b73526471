"""The page in a browser, from a dropped file to the export; skipped where there is no browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

from audiogen.audio import read, write
from tests.conftest import synthetic
from tests.reports.browser import Page, browser
from tests.studio.client import Client, studio_of

TAKES = "audiogen.table.project.takes"
ALL_MADE = f"{TAKES}.length && {TAKES}.every(take => !['waiting', 'making'].includes(take.state))"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Client, Path]]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "shelf").mkdir()
    with browser(folder) as page, studio_of(folder / "shelf", workers=1) as client:
        page.open(client.server.url, folder)
        page.until("document.body.dataset.ready")
        yield page, client, folder


def pressed(page: Page, *keys: str) -> None:
    page.ask("document.activeElement.blur()")
    for key in keys:
        page.press(key)


def setting(page: Page, field: str, value: object) -> None:
    """Change a field of the handles as its user would."""
    page.ask(
        f"(field => {{ field.value = {json.dumps(value)}; field.dispatchEvent(new Event('input'));"
        f" field.dispatchEvent(new Event('change')); }})(document.querySelector('[name={field}]'))"
    )
    page.until(f"audiogen.table.project.settings.{field} == {json.dumps(value)}")


def heard(page: Page) -> np.ndarray:
    """Samples ``[channels, time]`` of the latest audition."""
    values = page.ask("Array.from(audiogen.audition)")
    return np.array(values, np.float32).reshape(-1, 2).T


def test_from_a_file_to_an_export(opened: tuple[Page, Client, Path]) -> None:
    page, client, folder = opened
    write(folder / "rain.wav", synthetic(4, channels=2, rate=22050), "PCM_16")
    # A file that is no audio is refused in one line, and nothing is left of it.
    (folder / "words.wav").write_text("no audio at all" * 20)
    page.choose("#pick", folder / "words.wav")
    page.until("!document.getElementById('error').hidden")
    assert "words.wav" in page.ask("document.getElementById('error').textContent")
    assert not list((folder / "shelf").iterdir())

    # Of several files the first is opened; another that is refused is named.
    write(folder / "hail.wav", synthetic(2, rate=22050), "PCM_16")
    page.choose("#pick", folder / "rain.wav", folder / "words.wav", folder / "hail.wav")
    page.until("document.getElementById('title').textContent === 'rain.wav'")
    page.until("document.getElementById('error').textContent.includes('words.wav')")
    assert sorted(each.name for each in (folder / "shelf").glob("*.wav")) == ["hail.wav", "rain.wav"]
    page.ask("document.querySelector('#error button').click()")
    assert page.ask("document.getElementById('error').hidden")

    # The region is dragged, and its edge moved by keys.
    box = page.ask(
        "(r => [r.left, r.top, r.width, r.height])(document.querySelector('.prompt .strip').getBoundingClientRect())"
    )
    left, top, width, _ = box
    shown = page.ask("audiogen.table.view.seconds")
    page.drag(*((left + width * at / shown, top + 40) for at in (0.5, 1.0, 2.0, 3.0)))
    page.until("audiogen.table.project.settings.region && audiogen.table.project.settings.region[1] < 3.2")
    page.ask("document.querySelector('.edge.end').focus()")
    before = page.ask("audiogen.table.project.settings.region[1]")
    page.press("ArrowRight")
    page.until(f"Math.abs(audiogen.table.project.settings.region[1] - {before} - 0.1) < 0.003")

    setting(page, "level", 3)
    page.ask("document.querySelector('[name=level]').focus()")
    page.press("Delete")
    page.until("audiogen.table.project.settings.level === 0")
    setting(page, "seconds", 1.2)
    assert "--seconds 1.2" in page.ask("document.querySelector('#command code').textContent")
    pressed(page, "m")
    page.until(f"{TAKES}.length === 3")
    page.until(ALL_MADE)
    assert page.ask(f"{TAKES}.map(take => take.state)") == ["made"] * 3
    assert page.ask("document.querySelectorAll('.take .words li').length") >= 3

    # Playing, changed between lanes at the same place, without stopping.
    pressed(page, "1", " ")
    page.until("audiogen.player.state.playing && audiogen.player.position() > audiogen.player.state.from + 0.2")
    place = page.ask("audiogen.player.position()")
    pressed(page, "2", "x", "x")
    assert page.ask("[audiogen.player.state.playing, audiogen.player.state.switches, audiogen.table.current]") == [
        True,
        3,
        "take-2",
    ]
    assert page.ask("audiogen.player.position()") >= place
    pressed(page, " ")
    assert not page.ask("audiogen.player.state.playing")

    # The join: a second before it and a second after it, sample for sample.
    pressed(page, "j")
    page.until("audiogen.audition")
    take = client.project("rain.wav")["takes"][1]
    whole = read(folder / "shelf" / "rain.wav.studio" / take["file"]).samples
    join = take["facts"]["join_sample"]
    np.testing.assert_array_equal(heard(page), whole[:, max(join - 22050, 0) : join + 22050])

    # Decisions: kept, set aside, noted, undone; and a second page knows them at once.
    other = page.another()
    other.open(f"http://127.0.0.1:{client.server.port}/#rain.wav", folder)
    other.until("document.body.dataset.ready")
    pressed(page, "k", "3", "r", "1", "k", "n")
    page.until("document.activeElement.dataset.name === 'note'")
    page.ask("(n => { n.value = 'dense'; n.dispatchEvent(new Event('change')); })(document.activeElement)")
    marks = f"JSON.stringify({TAKES}.map(take => [take.mark, take.note]))"
    expected = json.dumps([["kept", "dense"], ["kept", ""], ["aside", ""]], separators=(",", ":"))
    for each in (page, other):
        each.until(f"{marks} === '{expected}'")
        each.until("document.querySelector('#aside #take-3')")
    pressed(page, "u", "u")
    other.until(f"{TAKES}[0].mark === ''")
    pressed(other, "y", "y")
    page.until(f"{marks} === '{expected}'")

    # What was chosen survives a reload.
    page.open(f"http://127.0.0.1:{client.server.port}/?again#rain.wav", folder)
    page.until("document.body.dataset.ready")
    assert page.ask(marks) == expected
    assert page.ask("audiogen.table.project.settings.seconds") == 1.2

    # Names by the Universal Category System are checked before anything is written.
    page.ask("document.querySelector('[name=ucs]').click()")
    page.until("document.querySelector('#export .problem') && document.querySelector('#export .primary').disabled")
    assert "CatID" in page.ask("document.querySelector('#export .problem').textContent")
    for name, value in (("CatID", "RAINConc"), ("FXName", "Drops"), ("CreatorID", "me"), ("SourceID", "lab")):
        page.ask(
            f"(field => {{ field.value = '{value}'; field.dispatchEvent(new Event('change')); }})"
            f"(document.querySelector('#export [name={name}]'))"
        )
        page.until(f"audiogen.table.project.settings.fields?.{name} === '{value}'")
    page.until("!document.querySelector('#export .problem')")
    assert "--field CatID=RAINConc" in page.ask("document.querySelector('#export code').textContent")
    page.ask("document.querySelector('[name=ucs]').click()")
    page.until("document.querySelector('#export [name=template]')")
    setting(page, "template", "{prompt}_{take}")
    assert "--template '{prompt}_{take}'" in page.ask("document.querySelector('#export code').textContent")
    page.ask("document.querySelector('#export button').click()")
    page.until("document.getElementById('exported').textContent.includes('Written')")
    assert sorted(each.name for each in (folder / "shelf" / "export").glob("*.wav")) == ["rain_1.wav", "rain_2.wav"]
    assert not page.pipe.errors


def test_a_loop_closes_and_a_take_can_be_cancelled_from_the_keyboard(opened: tuple[Page, Client, Path]) -> None:
    page, _, folder = opened
    write(folder / "wind.wav", synthetic(4, seed=3, channels=2, rate=22050), "PCM_16")
    page.choose("#pick", folder / "wind.wav")
    page.until("document.getElementById('title').textContent === 'wind.wav'")
    setting(page, "seconds", 1.5)
    setting(page, "count", 1)
    for name in ("loop", "tail_only"):
        page.ask(f"document.querySelector('[name={name}]').click()")
        page.until(f"audiogen.table.project.settings.{name}")
    pressed(page, "m")
    page.until(ALL_MADE)
    page.ask("audiogen.audition = null")
    pressed(page, "1", "s")
    page.until("audiogen.audition")
    whole = read(folder / "shelf" / "wind.wav.studio" / "take-001.wav").samples
    np.testing.assert_array_equal(heard(page), np.concatenate([whole[:, -22050:], whole[:, :22050]], axis=1))

    # A long take is heard before it is finished, and cancelled.
    setting(page, "seconds", 900)
    for name in ("loop", "tail_only"):
        page.ask(f"document.querySelector('[name={name}]').click()")
        page.until(f"!audiogen.table.project.settings.{name}")
    pressed(page, "m")
    page.until("audiogen.table.lanes.get('take-2')?.length > 0")
    pressed(page, "2", "End", " ")
    page.until(
        "audiogen.player.state.playing && audiogen.player.position() > audiogen.table.lanes.get('take-2').offset + 0.1"
    )
    assert page.ask(f"{TAKES}[1].state") == "making"
    pressed(page, " ", "c")
    page.until(ALL_MADE)
    assert page.ask(f"{TAKES}[1].state") == "cancelled"
    assert not page.pipe.errors


def test_every_control_has_a_name_and_nothing_is_wider_than_a_phone(opened: tuple[Page, Client, Path]) -> None:
    page, _, _ = opened
    nameless = page.ask(
        "[...document.querySelectorAll('button, input, select, canvas, [role=slider], a')].filter(each =>"
        " each.offsetParent && !(each.ariaLabel || each.textContent.trim() || each.closest('label') || each.title))"
        ".map(each => each.outerHTML)"
    )
    assert nameless == []
    for scheme in ("light", "dark"):
        assert page.picture(390, scheme)[:4] == b"\x89PNG"
        assert page.ask("document.documentElement.scrollWidth") <= 390
    page.picture(1200)
