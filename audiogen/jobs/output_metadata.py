"""Metadata of an output: what still holds of those of its source, and markers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audiogen import __version__
from audiogen.audio import Edit, Marker, Metadata, Recording, Span, read_metadata
from audiogen.audio.metadata.broadcast import coding_line
from audiogen.audio.sample_formats import BITS, container_for

SOFTWARE = f"audiogen {__version__}"


@dataclass(frozen=True)
class Placement:
    """Where an output holds samples of its source, bit for bit.

    Args:
        spans: segments of the source, in samples of the Recording.
        origin: position in the output of the Recording's first sample; negative if that lies before the output.
        markers: label of each new marker -> its position in the output.
        loop: length of the output if it repeats without a seam, else None.
    """

    spans: Sequence[Span]
    origin: int
    markers: Sequence[tuple[str, int]] = ()
    loop: int | None = None


def metadata_for(source: Recording, placement: Placement, out: Path, subtype: str, command: str) -> Metadata:
    """Metadata to write.

    Args:
        source: whose file's metadata are carried over; none if its samples are not those of a file as they are.
        placement: where they lie in the output.
        out: file to write.
        subtype: its sample format, in libsndfile's terms.
        command: that makes it, for the coding history.
    """
    known, start = Metadata(), 0
    if source.path is not None and source.start is not None:
        known, start = read_metadata(source.path), source.start
    container, _ = container_for(out)
    line = coding_line(container, subtype, source.sample_rate, source.channels, f"{SOFTWARE} {command}")
    spans = [Span(span.start + start, span.stop + start, span.shift - start) for span in placement.spans]
    markers = [Marker(position, label.encode(), new=True) for label, position in placement.markers]
    edit = Edit(spans, placement.origin - start, markers, placement.loop, line)
    return known.edited(edit, SOFTWARE, BITS.get(subtype))
