"""Analysis of a prompt: the one place that decides which part of it serves which purpose.

A prompt has four roles in its continuation: it goes before the tail in the output, supplies the material of the tail,
is what the tail is joined to, and its level is the reference. `divide_prompt` decides, in samples, what of it serves in
which: not its edges (`fade_detection.py`: fades, silence and clicks at either end), and for an ambience nothing but its
bed (`ambience.py`). `analyse_prompt` makes features of the parts.

Partials (`partials.py`) are continued by themselves: they are those of the material, and features are of its residual.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from audiogen.audio import AudioWarning, Recording
from audiogen.durations import clock_time
from audiogen.progress import checkpoint
from audiogen.representation.mel import MelSpec
from audiogen.representation.recording_features import RecordingFeatures, extract_features
from audiogen.sound.ambience import Bed, extract_ambience
from audiogen.sound.fade_detection import NONE, Edge, between, find_edges
from audiogen.sound.partials import Partials, find_partials, without_partials
from audiogen.sound.separate_events import SeparateEvents, has_separate_events, with_variations

MATERIAL_SECONDS = 300.0  # of a recording, next to its tail, that are analysed


@dataclass(frozen=True)
class PromptParts:
    """A prompt, divided by purpose.

    Args:
        recording: all of it.
        start, stop: samples of the recording that go before the tail in the output; the tail follows ``stop``.
        material: what the tail is made of, trained on and measured against, and whose level it keeps.
        edges: what lies at either end of the recording.
        bed: where the ambience was found; None unless that was requested.
        near: the material and the edge beside it, of a recording of which the rest is not analysed; None for all of it.
        material_range: samples of the recording that the material is, if there is such a rest.
    """

    recording: Recording
    start: int
    stop: int
    material: Recording
    edges: tuple[Edge, Edge] = (NONE, NONE)
    bed: Bed | None = None
    near: Recording | None = None
    material_range: tuple[int, int] | None = None

    @classmethod
    def whole(cls, recording: Recording) -> PromptParts:
        """All of the recording in all roles."""
        return cls(recording, 0, recording.length, recording)

    @classmethod
    def of(cls, prompt: Recording | PromptParts) -> PromptParts:
        """The parts, or all of a recording."""
        return prompt if isinstance(prompt, PromptParts) else cls.whole(prompt)

    @property
    def reversed(self) -> PromptParts:
        """The parts played backwards: what was at the start lies at the end, where a tail joins it."""
        recording = self.near or self.recording
        start, stop = recording.length - min(self.stop, recording.length), recording.length - self.start
        backward = reverse(recording)
        if self.material_range is None:
            material = reverse(self.material)
        else:  # a view of it
            first, last = self.material_range
            material = backward.cut(recording.length - last, recording.length - first)
        return PromptParts(backward, start, stop, material, self.edges[::-1], self.bed)

    @property
    def before_tail(self) -> Recording:
        """What goes before the tail in the output, sample for sample; of no length for an ambience."""
        return self.recording.cut(self.start, self.stop)

    @property
    def joins_material(self) -> bool:
        """Whether the material ends where the tail begins."""
        return self.bed is not None or self.edges[1] == NONE or self.stop < self.recording.length

    @property
    def join_partner(self) -> Recording:
        """What the tail is joined to."""
        return self.material if self.joins_material else self.near or self.recording

    @property
    def gap(self) -> int:
        """Samples between the end of the material and the tail: those of a kept edge."""
        return 0 if self.joins_material else round(self.edges[1].seconds * self.recording.sample_rate)


def reverse(recording: Recording) -> Recording:
    """A recording played backwards; no longer the samples of its file as they are."""
    samples = np.ascontiguousarray(recording.samples[:, ::-1])
    return Recording(samples, recording.sample_rate, layout=recording.layout)


def divide_prompt(
    recording: Recording,
    keep_edges: bool = False,
    ambience: bool = False,
    loop: bool = False,
    backward: bool = False,
) -> PromptParts:
    """Divide a prompt by purpose.

    Args:
        recording: the prompt.
        keep_edges: let the tail follow the end of the recording, even if that is a fade or silence.
        ambience: learn the bed under the recording's events, and write that alone.
        loop: the output repeats, so that it must not begin with an edge either.
        backward: the tail goes before the recording instead of after it.

    Warns:
        AudioWarning: an edge was found, or how much ambience was.

    Raises:
        InputError: there is no ambience in the recording.
    """
    if not recording.sounds:
        return PromptParts.whole(recording)
    edges = (NONE, NONE) if ambience else find_edges(recording)
    begin, end = between(recording, edges)
    stop = recording.length if keep_edges or backward else end
    start = begin if (loop or backward) and not keep_edges else 0
    if edges != (NONE, NONE):
        warnings.warn(_describe(recording, edges, start, stop, backward), AudioWarning, stacklevel=2)
    most = round(MATERIAL_SECONDS * recording.sample_rate)
    near, first, last = recording, begin, end
    if recording.length > most:
        first, last = (begin, min(end, begin + most)) if backward else (max(begin, end - most), end)
        near = recording.cut(0, last).loaded() if backward else recording.cut(first, recording.length).loaded()
        warnings.warn(_describe_range(recording, first, last), AudioWarning, stacklevel=2)
    offset = 0 if backward else recording.length - near.length
    material, bed = near.cut(first - offset, last - offset), None
    if ambience:
        start = stop = 0
        material, bed = extract_ambience(material)
        bed = replace(bed, segments=tuple((begin + first, length) for begin, length in bed.segments))
    if near is recording:
        return PromptParts(recording, start, stop, material, edges, bed)
    return PromptParts(recording, start, stop, material, edges, bed, near, (first, last))


def _describe_range(recording: Recording, first: int, last: int) -> str:
    """A line about a recording that is not analysed as a whole."""
    rate = recording.sample_rate
    part = f"the part from {clock_time(first / rate)} to {clock_time(last / rate)}"
    return f"{recording.path or 'the prompt'}: it lasts {clock_time(recording.seconds)}; the tail is made of {part}"


def _describe(recording: Recording, edges: tuple[Edge, Edge], start: int, stop: int, backward: bool) -> str:
    """A line about the edges of a prompt, and what follows from them."""
    first, last = edges
    found = " and ".join(text for text in (first.describe(end=False), last.describe(end=True)) if text)
    rate, effects = recording.sample_rate, ["the tail is not made of that"]
    if start > 0:
        text = (
            f"continued backwards from {start / rate:.2f} s" if backward else f"the loop begins at {start / rate:.2f} s"
        )
        effects.insert(0, text)
    if stop < recording.length:
        effects.insert(0, f"continued from before that, at {stop / rate:.2f} s (--keep-edges continues after it)")
        effects = effects[:-1] if first == NONE else effects
    return f"{recording.path or 'the prompt'}: it {found}; {', and '.join(effects)}"


@dataclass(frozen=True)
class PromptAnalysis:
    """Features of a prompt for its roles.

    Args:
        recording: the material, with its partials.
        material: what the tail is made of: patches and the Vocoder's source. Primes the Model.
        join_partner: what the tail is joined to: ends where the tail begins. Primes Vocoder and resampler.
        level_reference: whose level, stereo image, spectrum and texture statistics the tail keeps; its peaks are held
            to those of ``recording``. The material as it is, without variations.
        partials: what was taken out of it; None if there is nothing to take out.
        events: of the material, which then begins with variations of it; None if it is not made of separate events.
    """

    recording: Recording
    material: RecordingFeatures
    join_partner: RecordingFeatures
    level_reference: RecordingFeatures
    partials: Partials | None = None
    events: SeparateEvents | None = None

    @property
    def channels(self) -> int:
        return self.recording.channels

    def to_channels(self, principal: np.ndarray) -> np.ndarray:
        """Rotate principal channels ``[channels, time]`` back to the recording's channels, float32."""
        return self.join_partner.rotation.T @ principal

    def to_principal(self, samples: np.ndarray) -> np.ndarray:
        """Rotate ``[channels, time]`` samples of the recording's channels to its principal channels, float32."""
        return (self.join_partner.rotation @ samples).astype(np.float32)


def analyse_prompt(prompt: Recording | PromptParts, spec: MelSpec, whole_events: bool = False) -> PromptAnalysis:
    """Analyse a prompt, all of it or divided by purpose, once for all tails; see `PromptAnalysis`.

    Args:
        prompt: or its parts.
        spec: of the frames.
        whole_events: whether its separate events, if it is made of such, are to be kept whole and varied.
    """
    parts = PromptParts.of(prompt)
    partials = find_partials(parts.material)
    checkpoint()
    residual = parts.material if partials is None else partials.residual
    reference = partner = material = extract_features(residual, spec)
    events = None
    if whole_events and has_separate_events(reference.side_by_side(len(reference.frames)), spec.frame_rate):
        material = extract_features(with_variations(residual), spec, reference.rotation)
        frames = material.side_by_side(len(material.frames))
        events = SeparateEvents(frames, spec.frame_rate, len(frames) - reference.frames.shape[1])
    if not parts.joins_material:
        end = parts.join_partner if partials is None else without_partials(parts.join_partner)
        partner = extract_features(end, spec, reference.rotation)
    return PromptAnalysis(parts.material, material, partner, reference, partials, events)
