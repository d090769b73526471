"""Export: the takes that were kept, under names from a template, in a folder of their own or as a set."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiogen.errors import InputError
from audiogen.name_template import UCS, fields_of, named_by
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


@dataclass(frozen=True)
class Export:
    """What is exported, and how it is named.

    Args:
        prompt: the recording or tune.
        folder: to write into.
        takes: kept ones.
        template: of the names; "" for ``{prompt}_{take:02}``, "UCS" for names by the Universal Category System.
        fields: of the template; an empty one is that of the prompt's name.
        as_set: make them again as a set, and number them as one unless there is a template.
    """

    prompt: Path
    folder: Path
    takes: Sequence[Take]
    template: str
    fields: Mapping[str, str]
    as_set: bool

    @property
    def text(self) -> str:
        """The template with its fields; empty for the numbers of a set."""
        if self.template == "UCS":
            return UCS + "_{take:02}"
        return self.template or ("" if self.as_set else DEFAULT_TEMPLATE)

    @property
    def out(self) -> Path:
        """The file of whose name those of the takes are made."""
        return self.folder / (self.prompt.stem + Path(self.takes[0].file).suffix)

    def paths(self) -> list[Path]:
        """Where the takes go.

        Raises:
            InputError: as of `name_template.named_by`; takes that cannot be a set.
        """
        if self.as_set:
            require_set(self.takes)
        if not self.text:
            return numbered(self.out, len(self.takes))
        seeds = [int(take.request.get("seed", 0)) for take in self.takes]
        seconds = [float(take.request.get("seconds", 0)) for take in self.takes]
        return named_by(self.text, self.out, self.prompt, seeds, seconds, self.set_fields())

    def set_fields(self) -> dict[str, str]:
        """Fields that the template uses and that are not those of the prompt's name."""
        return {name: text for name, text in self.fields.items() if text and name in fields_of(self.text)}


def require_set(takes: Sequence[Take]) -> None:
    """Raise an InputError unless takes can be a set."""
    regions = {tuple(take.request.get("region") or ()) for take in takes}
    alone = any("live" in take.request or take.request.get("morph") or take.request.get("loop") for take in takes)
    if len(regions) > 1 or alone:
        cause = "a set is made of takes of one region, without morph, loop and live"
        raise InputError("export", cause, "keep such takes only, or export without --set")


def refuse_existing(paths: Sequence[Path]) -> None:
    """Raise an InputError if a file or sidecar of one of the names exists."""
    for path in paths:
        for each in (path, sidecar_of(path)):
            if each.exists():
                raise InputError(each.name, f"it exists in {path.parent.name}", "choose another folder or template")


def export_folder(shelf: Path, name: str) -> Path:
    """The folder to export into, inside the folder of the studio; it may not exist yet.

    Raises:
        InputError: the name is not that of a folder in it.
    """
    if not re.fullmatch(r"[^./\\:\x00-\x1f][^/\\:\x00-\x1f]{0,99}", name) or name.endswith(".studio"):
        raise InputError(name or "the folder", "it is not a name for a folder", "write a plain name such as export")
    folder = shelf / name
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(name, "it is a link or a file", "choose another name")
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
