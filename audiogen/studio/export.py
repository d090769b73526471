"""Export: the takes that were kept, under names from a template, in a folder of their own or as a set."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiogen.errors import InputError
from audiogen.name_template import UCS, named_by
from audiogen.output_names import numbered, sidecar_of
from audiogen.studio.project import Project, Take
from audiogen.text_files import dump_json, write_text

DEFAULT_TEMPLATE = "{prompt}_{take:02}"


def kept_takes(project: Project) -> list[Take]:
    """The takes to export, in their order.

    Raises:
        InputError: none was kept.
    """
    kept = [take for take in project.takes.values() if take.mark == "kept" and take.state == "made"]
    if not kept:
        raise InputError("export", "no take was kept", "keep one first")
    return kept


def export_names(
    prompt: Path, folder: Path, takes: Sequence[Take], template: str, fields: Mapping[str, str], as_set: bool
) -> list[Path]:
    """Where the kept takes go.

    Args:
        prompt: the recording or tune.
        folder: to write into.
        takes: kept ones.
        template: of the names; "" for ``{prompt}_{take:02}``, "UCS" for names by the Universal Category System.
        fields: of the template.
        as_set: number them as a set, unless there is a template.

    Raises:
        InputError: as of `name_template.named_by`; a file of one of the names exists.
    """
    out = folder / (prompt.stem + Path(takes[0].file).suffix)
    if as_set and not template:
        paths = numbered(out, len(takes))
    else:
        text = UCS + "_{take:02}" if template == "UCS" else template or DEFAULT_TEMPLATE
        seeds = [int(take.request.get("seed", 0)) for take in takes]
        seconds = [float(take.request.get("seconds", 0)) for take in takes]
        paths = named_by(text, out, prompt, seeds, seconds, fields)
    for path in paths:
        for each in (path, sidecar_of(path)):
            if each.exists():
                raise InputError(each.name, f"it exists in {folder.name}", "choose another folder or template")
    return paths


def export_folder(shelf: Path, name: str) -> Path:
    """The folder to export into, created inside the folder of the studio.

    Raises:
        InputError: the name is not that of a folder in it.
    """
    if not re.fullmatch(r"[^./\\:\x00-\x1f][^/\\:\x00-\x1f]{0,99}", name) or name.endswith(".studio"):
        raise InputError(name or "the folder", "it is not a name for a folder", "write a plain name such as export")
    folder = shelf / name
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(name, "it is a link or a file", "choose another name")
    folder.mkdir(exist_ok=True)
    return folder


def copy_takes(project: Project, takes: Sequence[Take], paths: Sequence[Path]) -> None:
    """Copy takes, whose files hold their metadata, with sidecars that know the new name, the mark and the note."""
    for take, path in zip(takes, paths, strict=True):
        source = project.folder / take.file
        part = path.with_name(f".audiogen-{secrets.token_hex(6)}.part")
        try:
            shutil.copyfile(source, part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        sidecar: dict[str, Any] = json.loads(sidecar_of(source).read_text("utf-8"))
        sidecar |= {"output": path.name} | ({"note": take.note} if take.note else {})
        write_text(sidecar_of(path), dump_json(sidecar))
