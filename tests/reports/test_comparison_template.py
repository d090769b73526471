"""The page of a comparison in a browser: what is kept comes first, also after a reload; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

from audiogen.reports.figures import spectrograms
from audiogen.reports.panels import Panel, panels, write_template
from tests.reports.browser import browser
from tests.reports.test_continuation_page import noise


def test_kept_tails_come_first_also_after_a_reload_and_are_downloaded(tmp_path: Path) -> None:
    names = ["prompt", "real continuation", "a", "b", "c"]
    sounds = [noise(0.5, 1, seed=seed) for seed in range(len(names))]
    sections = []
    for number in range(2):
        shown = zip(names, sounds, spectrograms(sounds, contrast_of=0), strict=True)
        made = panels([Panel(f"p{number}-{name}", name, sound, picture) for name, sound, picture in shown])
        sections.append((f"piece {number}", made, "40"))
    values = {"title": "x", "counts": "y", "measures": {}, "rows": [], "beside": [], "sections": sections}
    write_template(tmp_path / "index.html", "comparison.html.j2", values)
    order = "[...document.querySelectorAll('.grid')].map(grid => [...grid.children].map(each => each.dataset.file))"
    expected = [names, ["prompt", "real continuation", "c", "a", "b"]]
    with browser(tmp_path) as page:
        page.open(tmp_path / "index.html", tmp_path)
        assert page.ask("document.querySelectorAll('.keep').length") == 6
        page.ask("document.querySelectorAll('.grid')[1].querySelector('[data-file=c] .keep').click()")
        assert page.ask(order) == expected
        page.open(tmp_path / "index.html", tmp_path)
        assert page.ask(order) == expected
        assert page.ask("document.querySelectorAll('.kept').length") == 1
        page.ask("HTMLAnchorElement.prototype.click = function () { got = [this.download, this.href.slice(0, 15)]; }")
        page.ask("document.querySelector('[data-file=b] .download').click()")
        assert page.ask("got") == ["piece 0 b.wav", "data:audio/wav;"]
        assert not page.pipe.errors
