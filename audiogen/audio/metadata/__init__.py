"""What a file holds besides samples: time stamps, markers, loops, tags; read, moved with the samples, written back.

One chunk, one file. `read_metadata` collects what a file states into a `Metadata`; `Metadata.edited` carries it to an
output whose samples lie elsewhere, and drops what would no longer be true, with a remark; `Writer` stores what its
container can hold. Nothing here touches a sample.
"""

from audiogen.audio.metadata.edit import Edit, Span
from audiogen.audio.metadata.markers import Marker
from audiogen.audio.metadata.metadata import Metadata
from audiogen.audio.metadata.source import read_metadata

__all__ = ["Edit", "Marker", "Metadata", "Span", "read_metadata"]
