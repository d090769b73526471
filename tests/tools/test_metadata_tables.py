"""tools/check_metadata.py: the tables of the manual are what commands do, read back by other libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mutagen", reason="mutagen, which reads tags, is not installed")
pytest.importorskip("wavinfo", reason="wavinfo, which reads chunks, is not installed")
from tools import check_metadata


def test_the_manuals_tables_are_what_commands_do(tmp_path: Path) -> None:
    page = check_metadata.PAGE.read_text("utf-8")
    found = check_metadata.tables(tmp_path)
    assert found in page, "run python tools/check_metadata.py"
    cells = {cell.strip() for line in found.splitlines() for cell in line.split("|")}
    assert {"kept", "moved", "cleared", "a line added", "the whole file", "shortened, said"} <= cells
    assert not [cell for cell in cells if cell.startswith(("wrong", "lost", "changed"))]


def test_nothing_is_dropped_without_a_word_unless_asked(tmp_path: Path) -> None:
    rows = check_metadata.by_command(tmp_path)
    silent = {(row[0], name) for row in rows for name, cell in zip(check_metadata.COMMANDS, row[1:], strict=True)
              if cell == "dropped"}  # fmt: skip
    assert {name for _, name in silent} == {"`--no-metadata`"}
    assert len(silent) == len(rows) - 2  # all but new markers, and what is never copied


def test_a_lost_tag_is_seen() -> None:
    assert check_metadata._tags_cell(["title", "bpm"], "dropped (bpm)") == "dropped, said: bpm; lost: title"
    assert check_metadata._tags_cell([], "") == "all kept"
