"""The controls of `sound.control_predictors` as baselines: the shipped base's engine without its Model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from audiogen.audio import Recording
from audiogen.metrics.waveform_baselines import Baseline
from audiogen.pretrained import base
from audiogen.sound.continuation import Continuer
from audiogen.sound.control_predictors import CONTROLS


def control_tail(name: str, prompt: Recording, seconds: float, seed: int, match_texture: bool = True) -> Recording:
    """The tail of a control.

    Args:
        name: key of `CONTROLS`.
        prompt: the recording to continue.
        seconds: length of the tail.
        seed: random seed.
        match_texture: see `Continuer`.
    """
    continuer = Continuer(base(), prompt, match_texture=match_texture, make_predictor=CONTROLS[name])
    blocks = list(continuer.tail(round(seconds * prompt.sample_rate), seed))
    return Recording(np.concatenate(blocks, axis=1), prompt.sample_rate)


CONTROL_BASELINES: Mapping[str, Baseline] = {name: partial(control_tail, name) for name in CONTROLS}
"""Control -> tail of (prompt, seconds, seed), as `audiogen continue` would render it."""
