"""What a take is like, in words; and the commands that do what buttons do."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from audiogen.cli.continue_ import continue_
from audiogen.cli.naming import Takes
from audiogen.cli.stream import stream
from audiogen.errors import InputError
from audiogen.studio.command_lines import continue_command, export_command, stream_command
from audiogen.studio.export import Export
from audiogen.studio.measures import describe
from audiogen.studio.project import Take


def words(measures: dict[str, Any], repeats: tuple[float, ...] = ()) -> dict[str, bool]:
    return dict(map(tuple, describe({"measures": measures, "repeats": list(repeats)})["words"]))


def test_words_say_what_the_figures_say() -> None:
    good = words({"texture": {"overall": 0.9}, "level": {"difference_db": 0.3}, "join": {"flux_percentile": 40.0}})
    assert list(good) == [
        "as close as another take of the same place",
        "as loud as the recording",
        "the join does not stand out",
    ]
    assert all(good.values())
    bad = words(
        {
            "texture": {"overall": 4.0},
            "level": {"difference_db": -6.04},
            "join": {"flux_percentile": 100.0, "click_percentile": 50.0},
            "loop_seam": {"flux_percentile": 10.0, "click_percentile": 100.0},
            "looping": {"fraction": 0.3},
            "copying": {"fraction": 0.25},
            "drift": {"level_change_db": 2.0, "centroid_change_percent": -20.0},
        },
        (1.5, 4.0),
    )
    assert list(bad) == [
        "another place",
        "quieter by 6.0 dB",
        "the join stands out",
        "the loop's seam may click",
        "25% of it is copied from the recording",
        "becomes louder towards its end, by 2.0 dB",
        "becomes darker towards its end",
        "repeats itself at 1.5 s, 4.0 s",
    ]
    assert not any(bad.values())
    assert words({}) == {}


@pytest.mark.parametrize(
    "request_",
    [
        {"seconds": 12.5, "seed": 7, "level": -6.0, "brightness": 1.5, "density": 2.0, "temperature": 0.5},
        {"seconds": 30.0, "seed": 0, "loop": True, "tail_only": True, "match_texture": False, "pulse": False},
    ],
)
def test_a_command_parses_into_the_request_that_it_stands_for(request_: dict[str, Any]) -> None:
    text = continue_command("it's rain.wav", "take 1.wav", request_, (1.25, 10.0), "crowd.flac")
    context = continue_.make_context("continue", shlex.split(text)[2:], resilient_parsing=False)
    assert {name: context.params[name] for name in request_} == request_
    assert (context.params["start"], context.params["stop"]) == (1.25, 10.0)
    assert [str(context.params[name]) for name in ("prompt", "out", "morph")] == [
        "it's rain.wav",
        "take 1.wav",
        "crowd.flac",
    ]


def export_of(requests: list[dict[str, Any]], template: str = "", as_set: bool = False, **fields: str) -> Export:
    takes = [
        Take(number, f"take-{number:03}.wav", request, "made", "kept") for number, request in enumerate(requests, 1)
    ]
    return Export(Path("shelf/rain.wav"), Path("shelf/out"), takes, template, fields, as_set)


def named_by_commands(export: Export) -> list[Path]:
    """What the commands of an export would write, by the command line's own naming."""
    written = []
    for line in export_command(export, export.paths(), ["x.json"] * len(export.takes)).split(" && "):
        context = continue_.make_context("continue", shlex.split(line)[2:], resilient_parsing=False)
        given = context.params
        names = ("variations", "loop_lengths", "as_set", "template", "ucs", "name_fields")
        takes = Takes(**{name: given[name] for name in names})
        assert takes.as_set == export.as_set
        written += takes.names(given["out"], given["prompt"], given["seed"], given["seconds"])()
    return [Path("shelf") / path for path in written]


@pytest.mark.parametrize("as_set", [False, True])
@pytest.mark.parametrize("seeds", [(3, 4, 5), (1, 7)])
@pytest.mark.parametrize("template", ["", "UCS", "{prompt} {seed}_{take}"])
def test_the_command_of_an_export_writes_files_of_the_same_names(
    template: str, seeds: tuple[int, ...], as_set: bool
) -> None:
    requests = [{"seconds": 2.0, "seed": seed, "region": [0.5, 3.0], "morph": None} for seed in seeds]
    fields = {"CatID": "RAINConc", "FXName": "Heavy rain", "CreatorID": "me", "SourceID": "it's"}
    export = export_of(requests, template, as_set, **fields)
    assert named_by_commands(export) == export.paths()
    if template == "UCS":
        assert export.paths()[0].name == "RAINConc_Heavy rain_me_it's_01.wav"
        with pytest.raises(InputError, match="SourceID has no value"):
            export_of(requests, template, as_set, **(fields | {"SourceID": ""})).paths()


def test_takes_that_differ_and_live_ones_have_commands_of_their_own() -> None:
    export = export_of([{"seconds": 2.0, "seed": 0}, {"seconds": 5.0, "seed": 1}, {"live": 0.0, "seed": 0}])
    lines = export_command(export, export.paths(), ["a", "b", "rain.wav.studio/take-003.json"]).split(" && ")
    assert [line.split()[1] for line in lines] == ["continue", "continue", "stream"]
    assert lines[2].endswith("--replay rain.wav.studio/take-003.json -o out/rain_03.wav")


def test_the_command_of_a_live_tail_parses_into_its_settings() -> None:
    chosen = {"temperature": 1.5, "level": -3.0, "density": 2.0, "pulse": False, "seed": 4, "seconds": 30.0}
    text = stream_command("it's rain.wav", chosen | {"region": [1.0, 2.5], "morph": "crowd.wav"})
    given = stream.make_context("stream", shlex.split(text)[2:], resilient_parsing=False).params
    assert given["play"]
    names = ("temperature", "level", "brightness", "density", "pulse", "start", "stop", "seconds", "seed")
    assert [given[name] for name in names] == [1.5, -3.0, 0.0, 2.0, False, 1.0, 2.5, None, 0]
    assert (str(given["prompt"]), str(given["morph"])) == ("it's rain.wav", "crowd.wav")
