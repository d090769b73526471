"""JSON and text files, written atomically."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from audiogen.file_names import representable
from audiogen.part_file import PartFile


def dump_json(values: Any, indent: int | None = 2) -> str:
    """JSON with a final newline; undecodable bytes of file names become text, ``\\xfc``."""
    text = json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False)
    return representable(text, "\\\\") + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically: it appears complete, or not at all."""
    with PartFile(path) as part:
        part.write_text(representable(text), encoding="utf-8")
