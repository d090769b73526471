"""What a take is like, in words; and the commands that do what buttons do."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from audiogen.cli.continue_ import continue_
from audiogen.studio.command_lines import continue_command
from audiogen.studio.measures import describe


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
