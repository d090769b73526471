"""Texture and repetitions of any number of tails of one prompt, what they are compared with analysed once."""

from __future__ import annotations

from functools import cached_property

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.copying import WINDOW_SECONDS, Matches, RepetitionDetector
from audiogen.metrics.scattering import ScatteringReference
from audiogen.metrics.texture import TextureDistance, TextureReference

COPY_SEARCH_SECONDS = 120.0  # seconds of the prompt's end in which copies are sought
TEXTURE_SECONDS = 60.0  # seconds of the prompt's end that the texture is compared with


class TailEvaluator:
    """What a tail of this prompt is held against.

    Args:
        prompt: what was continued.
        held_out: what truly came next; None holds the texture against the prompt itself.
        unrelated: whether ``held_out`` is another kind of sound than the prompt: the floor of the distances is then
            taken within ``held_out``, not between it and the prompt.
        nyquist: Hz, up to which textures are compared; None is half the sample rate.
    """

    def __init__(
        self,
        prompt: Recording,
        held_out: Recording | None = None,
        unrelated: bool = False,
        nyquist: float | None = None,
    ) -> None:
        self.prompt, self.held_out, self.unrelated, self.nyquist = prompt, held_out, unrelated, nyquist

    @cached_property
    def texture_reference(self) -> TextureReference:
        """The real texture and its floor."""
        return TextureReference(*self._real, self.nyquist)

    @cached_property
    def scattering_reference(self) -> ScatteringReference:
        """The same by scattering moments."""
        return ScatteringReference(*self._real, self.nyquist)

    @property
    def _real(self) -> tuple[Recording, Recording | None]:
        recent = end_of(self.prompt, TEXTURE_SECONDS)
        if self.held_out is None:
            return recent, None
        return self.held_out, None if self.unrelated else recent

    @cached_property
    def detector(self) -> RepetitionDetector:
        """The prompt as a source of copies."""
        return RepetitionDetector(end_of(self.prompt, COPY_SEARCH_SECONDS))

    def texture(self, tail: Recording) -> TextureDistance | None:
        """`TextureReference.distance`; None if something is too short for it."""
        try:
            return self.texture_reference.distance(tail)
        except InputError:
            return None

    def scattering(self, tail: Recording) -> TextureDistance | None:
        """`ScatteringReference.distance`; None if something is too short for it."""
        try:
            return self.scattering_reference.distance(tail)
        except InputError:
            return None

    def copying(self, tail: Recording) -> Matches | None:
        """`RepetitionDetector.copying`; None if something is shorter than a window."""
        return self.detector.copying(tail) if self._long_enough(tail) else None

    def looping(self, tail: Recording) -> Matches | None:
        """`RepetitionDetector.looping`; None if something is shorter than a window."""
        return self.detector.looping(tail) if self._long_enough(tail) else None

    def _long_enough(self, tail: Recording) -> bool:
        return min(self.prompt.seconds, tail.seconds) >= 1.2 * WINDOW_SECONDS


def end_of(recording: Recording, seconds: float) -> Recording:
    """The last seconds of a recording, or all of it."""
    return recording.cut(max(0, recording.length - round(seconds * recording.sample_rate)), recording.length)
