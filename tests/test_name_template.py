"""Names from templates and by the Universal Category System."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogen.errors import InputError
from audiogen.name_template import UCS, named_by, ucs_fields

UCS_PROMPT = Path("in/RAINConc_Gutter drip_ABC_LIB01_close.wav")


def names(template: str, prompt: Path = Path("in/rain.wav"), takes: int = 2, **fields: str) -> list[str]:
    paths = named_by(template, Path("out/any.flac"), prompt, list(range(7, 7 + takes)), [4.0] * takes, fields)
    assert {path.parent for path in paths} == {Path("out")}
    return [path.name for path in paths]


def test_fields_and_formats() -> None:
    assert names("{prompt}_{take:02}") == ["rain_01.flac", "rain_02.flac"]
    assert names("{seconds}s {seed}") == ["4s 7.flac", "4s 8.flac"]


def test_fields_of_the_universal_category_system_come_from_the_prompts_name() -> None:
    assert ucs_fields(UCS_PROMPT.stem)["UserData"] == "close"
    assert names(UCS + "_{take:02}", UCS_PROMPT, 1) == ["RAINConc_Gutter drip_ABC_LIB01_01.flac"]
    assert names(UCS + "_{take:02}", UCS_PROMPT, 1, SourceID="LIB02") == ["RAINConc_Gutter drip_ABC_LIB02_01.flac"]
    assert ucs_fields("rain_on_the_roof") == {}


def test_errors_name_the_option_that_asks_for_the_names() -> None:
    with pytest.raises(InputError, match="--ucs: the field CatID has no value; add --field CatID="):
        named_by(UCS, Path("out.wav"), Path("rain.wav"), [0], [4.0], {}, "--ucs")


@pytest.mark.parametrize(
    ("template", "fields", "words"),
    [
        ("{promt}", {}, "no field 'promt'"),
        ("{prompt.parent}", {}, "no field"),
        ("{prompt", {}, "write a field as"),
        ("{take:zz}", {}, "write {take:02}"),
        ("{take:999999999}", {}, "format of 'take'"),
        ("{prompt!r}{take}", {}, "format of 'prompt'"),
        ("{prompt}{take}", {"CatID": "RAINConc"}, "no part of the names uses CatID"),
        ("{}{take}", {}, "no field ''"),
        ("", {}, "not a file name"),
        (" ", {}, "not a file name"),
        ("a\n{take}", {}, "not a file name"),
        ("{take:{prompt}}", {}, "holds another field"),
        ("{take:0{seed}}", {}, "holds another field"),
        ("{prompt}", {}, "several takes one name"),
        ("../{take}", {}, "not a file name"),
        ("sub/{take}", {}, "not a file name"),
        (".{take}", {}, "not a file name"),
        (UCS + "{take}", {}, "--field CatID="),
        (UCS + "{take}", {"CatID": "rain", "FXName": "a", "CreatorID": "b", "SourceID": "c"}, "category"),
        (UCS + "{take}", {"CatID": "RAINConc", "FXName": "a_b", "CreatorID": "b", "SourceID": "c"}, "underscore"),
        (
            UCS + "{take}",
            {"CatID": "RAINConc", "FXName": " ", "CreatorID": "b", "SourceID": "c"},
            "FXName has no value",
        ),
        (UCS + "{take}", {"CatID": "RAINConc\n", "FXName": "a", "CreatorID": "b", "SourceID": "c"}, "category"),
        ("{take}", {"Cat": "RAINConc"}, "no field 'Cat'"),
        ("{take}", {"catid": "RAINConc"}, "no field 'catid'"),
    ],
)
def test_what_cannot_be_a_name_is_refused(template: str, fields: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match="--") as error:
        names(template, **fields)
    assert words in str(error.value)
