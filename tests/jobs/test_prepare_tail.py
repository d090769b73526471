"""From a prompt to what generates its tails, for several requests at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.jobs.continuer_choice import MorphTarget
from audiogen.jobs.prepare_tail import prepare_tails
from audiogen.jobs.request import Request
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
