"""The manual: generated pages hold every command and key, links lead to files, and mkdocs builds it strictly."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from audiogen import __version__
from audiogen.cli import COMMANDS, cli
from audiogen.experiment import Experiment, to_tree
from audiogen.training.tensorboard import flat
from tools import manual

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md"))


def test_the_command_line_reference_holds_every_command_and_option() -> None:
    text = manual.cli_reference()
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == list(COMMANDS)
    sections = re.split(r"^## \w+$", text, flags=re.MULTILINE)[1:]
    for name, section in zip(COMMANDS, sections, strict=True):
        command = cli.get_command(click.Context(cli), name)
        options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
        missing = [each.opts for each in options if not any(f"`{flag}" in section for flag in each.opts)]
        assert not missing, name


def test_the_configuration_reference_holds_every_key_and_its_default() -> None:
    text = manual.configuration_reference()
    rows = re.findall(r"^\| `([\w.]+)` \| .* \| `(.*)` \| (.*) \|$", text, re.MULTILINE)
    named = {key for key, *_ in rows}
    assert set(flat(to_tree(Experiment()))) - named == set()
    undescribed = [
        key for key, _, meaning in rows if not meaning.strip() and key not in ("representation", "model", "vocoder")
    ]
    assert not undescribed


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
        assert (page.parent / target).is_file(), target  # in the repository too, where nothing is generated


def test_the_version_to_cite_is_that_of_the_package() -> None:
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"version = {{{__version__}}}" in (ROOT / "docs" / "citing.md").read_text("utf-8")


def test_nothing_is_loaded_from_a_network() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert "font: false" in text
    assert not re.search(r"https?://", text)


@pytest.mark.skipif(importlib.util.find_spec("latex2mathml") is None, reason="the extra docs is not installed")
def test_equations_become_mathml() -> None:
    page = manual.on_page_content(r'<p><span class="arithmatex">\(a^2 &lt; b\)</span></p>')
    assert "<math" in page
    assert "arithmatex" not in page


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="the extra docs is not installed")
def test_the_manual_builds_strictly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    method = (tmp_path / "site" / "method" / "index.html").read_text("utf-8")
    assert "<math" in method
    commands = (tmp_path / "site" / "reference" / "cli" / "index.html").read_text("utf-8")
    assert "the same seed and settings give the same bytes" in commands  # not the repository's stub
    loaded = re.findall(r'<(?:script|img)[^>]* src="([^"]+)"|<link[^>]*rel="stylesheet"[^>]*href="([^"]+)"', method)
    assert not [url for pair in loaded for url in pair if url.startswith(("http", "//"))]
