"""Texture distance and repetition of several tails of one prompt; the prompt and the real audio are analysed once.

Used wherever candidate tails are compared: `evaluate`, `compare`, and the choice between trained Runs and the base.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.copying import WINDOW_SECONDS, Matches, RepetitionDetector
from audiogen.metrics.line_structure import TonalityReference
from audiogen.metrics.scattering import ScatteringReference
from audiogen.metrics.texture import TextureDistance, TextureReference
from audiogen.metrics.two_sample import separability
from audiogen.progress import checkpoint

COPY_SEARCH_SECONDS = 120.0  # end of the prompt that is searched for copies
TEXTURE_SECONDS = 60.0  # end of the prompt that textures are compared with, and of the real audio searched for copies


@dataclass(frozen=True)
class TailComparison:
    """Texture distance and repetitions of one tail; each None if the audio is too short.

    Args:
        texture: see `TextureReference.distance`.
        copying: see `RepetitionDetector.copying`.
        looping: see `RepetitionDetector.looping`.
    """

    texture: TextureDistance | None
    copying: Matches | None
    looping: Matches | None


class TailEvaluator:
    """Compares tails with the prompt and with the real continuation.

    Args:
        prompt: the continued recording.
        held_out: the real continuation; None compares textures with the prompt itself.
        unrelated: whether ``held_out`` is another kind of sound than the prompt: the floor of the distances is then
            taken within ``held_out``, not between it and the prompt.
        nyquist: highest frequency at which textures are compared, Hz; None for half the sample rate.
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
        """The texture statistics of the real audio and their floor."""
        return TextureReference(*self._real, self.nyquist)

    @cached_property
    def scattering_reference(self) -> ScatteringReference:
        """The scattering moments of the real audio and their floor."""
        return ScatteringReference(*self._real, self.nyquist)

    @cached_property
    def tonality_reference(self) -> TonalityReference:
        """The spectral lines of the real audio and their floor."""
        return TonalityReference(*self._real, self.nyquist)

    @property
    def _real(self) -> tuple[Recording, Recording | None]:
        recent = self.prompt.last(TEXTURE_SECONDS)
        if self.held_out is None:
            return recent, None
        return self.held_out, None if self.unrelated else recent

    @cached_property
    def detector(self) -> RepetitionDetector:
        """The end of the prompt, searched for copies."""
        return RepetitionDetector(self.prompt.last(COPY_SEARCH_SECONDS))

    @cached_property
    def real_copying(self) -> Matches | None:
        """`copying` of the end of the real continuation; None without one."""
        return None if self.held_out is None else self.copying(self.held_out.last(TEXTURE_SECONDS))

    def compare(self, tail: Recording) -> TailComparison:
        """Texture distance and repetitions of a tail."""
        texture = self.texture(tail)
        checkpoint()
        copying = self.copying(tail)
        checkpoint()
        return TailComparison(texture, copying, self.looping(tail))

    def texture(self, tail: Recording) -> TextureDistance | None:
        """`TextureReference.distance`; None if the audio is too short."""
        try:
            return self.texture_reference.distance(tail)
        except InputError:
            return None

    def scattering(self, tail: Recording) -> TextureDistance | None:
        """`ScatteringReference.distance`; None if the audio is too short."""
        try:
            return self.scattering_reference.distance(tail)
        except InputError:
            return None

    def tonality(self, tail: Recording) -> TextureDistance | None:
        """`TonalityReference.distance`; None if the audio is too short."""
        try:
            return self.tonality_reference.distance(tail)
        except InputError:
            return None

    def separability(self, tail: Recording) -> float | None:
        """`two_sample.separability` of the prompt's end and a tail; None if the audio is too short, or without real
        audio beside the prompt to compare with."""
        if self.held_out is None:
            return None
        try:
            return separability(self.prompt.last(TEXTURE_SECONDS), tail)
        except InputError:
            return None

    def copying(self, tail: Recording) -> Matches | None:
        """`RepetitionDetector.copying`; None if the audio is shorter than a window."""
        return self.detector.copying(tail) if self._long_enough(tail) else None

    def looping(self, tail: Recording) -> Matches | None:
        """`RepetitionDetector.looping`; None if the audio is shorter than a window."""
        return self.detector.looping(tail) if self._long_enough(tail) else None

    def _long_enough(self, tail: Recording) -> bool:
        return min(self.prompt.seconds, tail.seconds) >= 1.2 * WINDOW_SECONDS
