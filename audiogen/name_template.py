"""Output names from a template, such as ``{prompt}_{take:02}``, and the fields of the Universal Category System.

UCS (universalcategorysystem.com) names sound effects ``CatID_FXName_CreatorID_SourceID``, optionally with user data
after a further underscore. A prompt that is named so supplies the fields for its continuations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter

from audiogen.errors import InputError
from audiogen.file_names import is_inside

UCS_FIELDS = ("CatID", "FXName", "CreatorID", "SourceID")
UCS = "_".join(f"{{{name}}}" for name in UCS_FIELDS)
"""Template of a name by the Universal Category System."""

SETTABLE = (*UCS_FIELDS, "UserData")
FIELDS = ("prompt", "take", "seed", "seconds", *SETTABLE)

_CAT_ID = re.compile(r"[A-Z]{2,}[A-Za-z]{0,7}(-[A-Za-z0-9]+)?")
"""A category in capitals and an abbreviated subcategory, optionally a user category: RAINConc, AMBForst-Night."""

_FORMAT = re.compile(r"0?\d{0,2}(\.\d)?[dfg]?")
"""Of a number: leading zeros, width, decimals. Anything else, such as a width of a million, is no part of a name."""


def ucs_fields(stem: str) -> dict[str, str]:
    """The fields of a file name without suffix; empty if it is not named by the Universal Category System."""
    parts = stem.split("_", 4)
    if len(parts) < 4 or not all(parts) or not _CAT_ID.fullmatch(parts[0]):
        return {}
    return dict(zip((*UCS_FIELDS, "UserData"), parts, strict=False))


def named_by(
    template: str,
    out: Path,
    prompt: Path,
    seeds: Sequence[int],
    seconds: Sequence[float],
    fields: Mapping[str, str],
    option: str = "--template",
) -> list[Path]:
    """Names of the takes of a prompt, in the folder of ``out`` and with its suffix.

    Args:
        template: text with some of `FIELDS` in braces, each optionally with a format after a colon.
        out: whose folder and suffix are used.
        prompt: the recording; its name is the field ``prompt``, and supplies the fields of UCS if it has them.
        seeds, seconds: of each take.
        fields: values of further fields, instead of those of the prompt's name.
        option: that asks for these names, for messages.

    Raises:
        InputError: an unknown or missing field, an invalid value or name, or two takes of one name.
    """
    used = fields_of(template)
    known = ucs_fields(prompt.stem) | dict(fields)
    for name in fields:
        require_settable(name)
        if name not in used:
            raise InputError("--field", f"no part of the names uses {name}", f"add {{{name}}} to --template")
    for name in used:
        if name in SETTABLE:
            require_ucs(name, known.get(name), option)
    paths = []
    for take, (seed, length) in enumerate(zip(seeds, seconds, strict=True), 1):
        whole = int(length) if length == int(length) else length
        values = known | {"prompt": prompt.stem, "take": take, "seed": seed, "seconds": whole}
        try:
            stem = template.format_map(values)
        except (ValueError, TypeError) as error:
            raise InputError(option, f"{template!r}: {error}", "write {take:02} for two digits") from error
        if not is_inside(stem) or re.search(r"[/\\\x00-\x1f]", stem) or stem.startswith(".") or not stem.strip():
            raise InputError(option, f"{stem!r} is not a file name", "name files in the folder of --output")
        paths.append(out.with_name(stem + out.suffix))
    if len({path.name.casefold() for path in paths}) < len(paths):
        raise InputError(option, f"{template!r} gives several takes one name", "add {take:02}")
    return paths


def fields_of(template: str) -> list[str]:
    """Names of the fields of a template, in order.

    Raises:
        InputError: an unknown field, or a template that is damaged.
    """
    try:
        found = [field[1:] for field in Formatter().parse(template) if field[1] is not None]
    except ValueError as error:
        raise InputError("--template", f"{template!r}: {error}", "write a field as {prompt}") from error
    names = []
    for name, form, conversion in found:
        if name not in FIELDS:
            raise InputError("--template", f"there is no field {name!r}", f"choose from {', '.join(FIELDS)}")
        if form and "{" in form:  # whose value would become a format
            cause = f"the format of {name!r} holds another field, {form!r}"
            raise InputError("--template", cause, "write one field after the other: {take:02}_{prompt}")
        if conversion or not _FORMAT.fullmatch(form or ""):
            raise InputError("--template", f"the format of {name!r} is not one of a number", "write {take:02}")
        names.append(name)
    return names


def require_settable(name: str) -> None:
    """Raise an InputError unless a field can be given a value."""
    if name not in SETTABLE:
        raise InputError("--field", f"there is no field {name!r} to set", f"choose from {', '.join(UCS_FIELDS)}")


def require_ucs(name: str, value: str | None, option: str = "--template") -> None:
    """Raise an InputError, of the option that uses the field, unless a field of UCS can have a value."""
    if not value or not value.strip():
        raise InputError(option, f"the field {name} has no value", f"add --field {name}=...")
    if name == "CatID" and not _CAT_ID.fullmatch(value):
        cause = f"CatID {value!r} is not a category in capitals and a subcategory"
        raise InputError("--field", cause, "write it as in the list of UCS: RAINConc, AMBForst")
    if name != "UserData" and not re.fullmatch(r"[^_<>:\"/\\|?*\x00-\x1f]+", value):
        cause = f"{name} {value!r} has an underscore, which separates the fields, or a character no file name may have"
        raise InputError("--field", cause, "use letters, digits, spaces and hyphens")
