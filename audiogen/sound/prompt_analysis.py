"""Analysis of a prompt: the one place that decides which part of it serves which purpose.

A prompt has three roles in its continuation: it supplies the material of the tail, the tail is joined to it, and its
level is the reference. Today the whole prompt serves in all three. To keep some of it out of one role, such as a
fade-out out of the material, analyse a cut of the recording for that role (with the same rotation, so that all
principal channels agree).

Its partials (`partials.py`) are continued by themselves: all three roles are those of the residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.representation.mel import MelSpec
from audiogen.representation.recording_features import RecordingFeatures, extract_features
from audiogen.sound.partials import Partials, find_partials


@dataclass(frozen=True)
class PromptAnalysis:
    """A prompt, analysed for its three roles.

    Args:
        recording: the prompt itself.
        material: what the tail is made of: patches, the Vocoder's source, spectrum and texture statistics.
        join_partner: what the tail is joined to: ends where the tail begins. Primes Model, Vocoder and resampler.
        level_reference: whose level and stereo image the tail keeps; its peaks are held to those of ``recording``.
        partials: what was taken out of it; None if there is nothing to take out.
    """

    recording: Recording
    material: RecordingFeatures
    join_partner: RecordingFeatures
    level_reference: RecordingFeatures
    partials: Partials | None = None

    @property
    def channels(self) -> int:
        return self.recording.channels

    def to_channels(self, principal: np.ndarray) -> np.ndarray:
        """Rotate principal channels ``[channels, time]`` back to the recording's channels, float32."""
        return self.join_partner.rotation.T @ principal


def analyse_prompt(prompt: Recording, spec: MelSpec) -> PromptAnalysis:
    """Analyse a prompt once for all tails; see `PromptAnalysis`."""
    partials = find_partials(prompt)
    whole = extract_features(prompt if partials is None else partials.residual, spec)
    return PromptAnalysis(prompt, material=whole, join_partner=whole, level_reference=whole, partials=partials)
