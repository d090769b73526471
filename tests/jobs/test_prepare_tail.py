"""From a prompt to what generates its tails, for several requests at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import InputError
from audiogen.jobs.continuer_choice import MorphTarget
from audiogen.jobs.prepare_tail import prepare_tails
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import tail_blocks
from audiogen.run import Run

Texture = Callable[..., Recording]
Untrained = Callable[..., Run]
REQUEST = Request(seconds=0.5)


def test_nothing_generates_the_tail_of_silence_even_with_a_run(texture: Texture, untrained: Untrained) -> None:
    silence = Recording(np.zeros((1, 44100), np.float32), 44100)
    prepared = prepare_tails(silence, [REQUEST], run=untrained(texture(1.0)))
    assert prepared.run is None
    assert prepared.tail(REQUEST).continuer is None


def test_requests_of_one_kind_share_an_analysis(texture: Texture, untrained: Untrained) -> None:
    prompt = texture(1.0)
    alike, other = Request(seconds=2.0, seed=5, level=-3.0), Request(match_texture=False)
    prepared = prepare_tails(prompt, [REQUEST, alike, other], run=untrained(prompt))
    assert prepared.tail(REQUEST).continuer is prepared.tail(alike).continuer
    assert prepared.tail(REQUEST).continuer is not prepared.tail(other).continuer


@pytest.mark.parametrize("impossible", [Request(loop=True), Request(raw=True)])
def test_a_morph_that_cannot_be_is_refused(texture: Texture, impossible: Request) -> None:
    with pytest.raises(InputError, match="morph"):
        prepare_tails(texture(1.0), [REQUEST, impossible], MorphTarget(texture(1.0, 1)))


@pytest.mark.parametrize("target", [None, 1])
def test_tails_of_a_set_are_distinct(texture: Texture, untrained: Untrained, target: int | None) -> None:
    """By the same seed, a second tail would be the first one."""
    prompt, other = texture(3.0), None if target is None else MorphTarget(texture(3.0, target))
    request = Request(seconds=2.0)

    def tails(as_set: bool) -> list[np.ndarray]:
        prepared = prepare_tails(prompt, [request, request], other, run=untrained(prompt), as_set=as_set)
        made = (tail_blocks(*prepared.tail(request), 2 * 44100, request) for _ in range(2))
        return [np.concatenate(list(blocks), axis=1) for blocks in made]

    assert np.array_equal(*tails(as_set=False))
    assert not np.array_equal(*tails(as_set=True))


@pytest.mark.parametrize(
    ("model", "request_", "cure"),
    [("noise", REQUEST, "choose another Run"), (None, Request(seconds=0.5, raw=True), "leave out --raw")],
)
def test_a_set_that_cannot_be_distinct_is_warned_of(
    texture: Texture, untrained: Untrained, model: str | None, request_: Request, cure: str
) -> None:
    prompt = texture(2.0)
    run = untrained(prompt, 0, *([f"model={model}"] if model else []))
    prepared = prepare_tails(prompt, [request_, request_], run=run, as_set=True)
    with pytest.warns(AudioWarning, match=cure):
        prepared.tail(request_)
    prepared.tail(request_)  # once; a warning would be an error
    prepare_tails(prompt, [request_], run=run, as_set=True).tail(request_)  # one take has no other to repeat
