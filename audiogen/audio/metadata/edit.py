"""Where the samples of a source lie in an output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audiogen.audio.metadata.markers import Marker


@dataclass(frozen=True)
class Span:
    """Samples of a source that an output repeats bit for bit.

    Args:
        start, stop: of the span in the source, in samples; ``stop`` is exclusive.
        shift: position in the output minus position in the source.
    """

    start: int
    stop: int
    shift: int = 0


@dataclass(frozen=True)
class Edit:
    """How an output was made from a source.

    Args:
        spans: what it repeats of the source, in order.
        origin: position in the output of the source's first sample, negative if that lies before the output.
        markers: new ones, such as that of the join.
        loop: samples of the output if it is to repeat without a seam, else None.
        coding: line for the coding history of a broadcast WAV, without line end; None for no line.
    """

    spans: Sequence[Span]
    origin: int = 0
    markers: Sequence[Marker] = ()
    loop: int | None = None
    coding: str | None = None

    def moved(self, markers: Sequence[Marker]) -> tuple[list[Marker], int, int]:
        """Markers of the source at their positions in the output.

        Returns:
            The markers; how many were dropped, as their sample is not in the output; how many regions were shortened.
        """
        kept, shortened = [], 0
        for marker in markers:
            # The end of a span belongs to it: a marker of the recording's end stays where the recording ends.
            span = next((span for span in self.spans if span.start <= marker.position <= span.stop), None)
            if span is None:
                continue
            length = min(marker.length, span.stop - marker.position)
            shortened += length < marker.length
            kept.append(marker.moved(span.shift, length))
        return kept, len(markers) - len(kept), shortened
