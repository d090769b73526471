"""Metadata: what a file holds besides samples, and what of it still holds in an output made from the file."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audiogen.audio.metadata.broadcast import MAX_TIME_REFERENCE, Broadcast
from audiogen.audio.metadata.edit import Edit
from audiogen.audio.metadata.ixml import IXml
from audiogen.audio.metadata.markers import MAX_POSITION, Marker, pack_cue, pack_labels
from audiogen.audio.metadata.sampler import Sampler
from audiogen.audio.metadata.tags import UNWRITTEN, Items, decoded, info_of_tags, tags_of_info

ADM = (b"axml", b"chna")
"""The Audio Definition Model (ITU-R BS.2076): its document, and which track is which of its objects."""


@dataclass(frozen=True)
class Metadata:
    """What a file holds besides samples.

    Args:
        broadcast: origin and time stamp.
        ixml: a field recorder's document.
        markers: positions and regions, in order.
        sampler: root note and loops.
        info: items of ``LIST INFO``, of a WAV.
        tags: name -> text, of other containers.
        chunks: name -> content of chunks that are passed on unread.
        unread: names of chunks that are not understood.
        remarks: what was dropped, and why, each in one line.
    """

    broadcast: Broadcast | None = None
    ixml: IXml | None = None
    markers: Sequence[Marker] = ()
    sampler: Sampler | None = None
    info: Items = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    chunks: Mapping[bytes, bytes] = field(default_factory=dict)
    unread: Sequence[str] = ()
    remarks: Sequence[str] = ()

    def edited(self, edit: Edit, software: str, bits: int | None = None) -> Metadata:
        """What still holds in an output, with remarks about the rest.

        Args:
            edit: where the samples of this file lie in the output.
            software: what makes the output.
            bits: of its samples; None if they have no fixed number.
        """
        remarks = list(self.remarks)
        markers, dropped, shortened = edit.moved(self.markers)
        if dropped:
            remarks.append(f"{_count(dropped, 'marker')} of the prompt outside the samples that were kept: dropped")
        if shortened:
            remarks.append(f"{_count(shortened, 'region')} of the prompt shortened to the samples that were kept")
        markers = sorted([*markers, *edit.markers], key=lambda marker: marker.position)
        stored = [marker for marker in markers if marker.position <= MAX_POSITION]
        if len(stored) < len(markers):
            remarks.append(f"{_count(len(markers) - len(stored), 'marker')} beyond 2^32 samples: dropped")
        broadcast, sampler = self.broadcast, self.sampler
        if broadcast is not None:
            stamp = broadcast.time_reference - edit.origin
            if not 0 <= stamp <= MAX_TIME_REFERENCE:
                when = "before midnight" if stamp < 0 else "beyond 2^64 samples"
                remarks.append(f"the time stamp lies {when}, which a broadcast WAV cannot state: set to 0")
                stamp = 0
            broadcast = broadcast.edited(stamp, edit.coding)
        if sampler is not None and sampler.loops:
            if edit.loop is None:
                remarks.append("the sampler loop of the prompt would keep a player from the new part: dropped")
            sampler = replace(sampler, loops=())
        if edit.loop is not None and edit.loop - 1 <= MAX_POSITION:
            sampler = replace(sampler or Sampler(), loops=((0, edit.loop - 1),))
        chunks = dict(self.chunks)
        if any(name in chunks for name in ADM) and (edit.origin or not edit.spans):
            chunks = {name: content for name, content in chunks.items() if name not in ADM}
            remarks.append("the ADM description (axml, chna) counts from the start of the prompt: dropped")
        elif b"duration=" in chunks.get(b"axml", b""):
            remarks.append("the ADM description (axml, chna) was kept as it is; its durations end with the prompt")
        if self.unread:
            remarks.append(f"chunks that are not understood: dropped ({', '.join(self.unread)})")
        info = [item for item in self.info if item[0] != b"ISFT"]
        tags = {name: value for name, value in self.tags.items() if name != "software"}
        return Metadata(
            broadcast=broadcast,
            ixml=self.ixml and self.ixml.edited(-edit.origin, bits),
            markers=stored,
            sampler=sampler,
            info=[*info, (b"ISFT", software.encode() + b"\0")] if info else [],
            tags={**tags, "software": software} if tags else {},
            chunks=chunks,
            remarks=remarks,
        )

    def chunks_before_data(self) -> bytes:
        """Chunks of a WAV that stand before the samples: ``bext``, as all software looks for it there."""
        return chunk(b"bext", self.broadcast.pack()) if self.broadcast is not None else b""

    def chunks_after_data(self, sample_rate: int) -> bytes:
        """Chunks of a WAV that stand after the samples."""
        written = [chunk(name, content) for name, content in self.chunks.items()]
        if self.ixml is not None:
            written.append(chunk(b"iXML", self.ixml.document))
        if self.markers:
            written.append(chunk(b"cue ", pack_cue(self.markers)))
            if labels := pack_labels(self.markers):
                written.append(chunk(b"LIST", list_of(b"adtl", labels)))
        if self.sampler is not None:
            written.append(chunk(b"smpl", self.sampler.pack(sample_rate)))
        if info := self.info or info_of_tags(self.tags):
            written.append(chunk(b"LIST", list_of(b"INFO", info)))
        return b"".join(written)

    def as_json(self) -> dict[str, Any]:
        """What is there, in JSON types: positions in samples, texts decoded."""
        markers = [
            {"sample": marker.position, "label": decoded(marker.label), "length": marker.length}
            for marker in self.markers
        ]
        found = {
            "time_reference": self.broadcast and self.broadcast.time_reference,
            "markers": markers,
            "loops": [list(loop) for loop in self.sampler.loops] if self.sampler else [],
            "tags": self.named_tags,
            "chunks": [name.decode("latin-1").strip() for name in self.chunks] + ["iXML"] * (self.ixml is not None),
            "not_understood": list(self.unread),
        }
        return {name: value for name, value in found.items() if value not in (None, [], {})}

    @property
    def named_tags(self) -> dict[str, str]:
        """Tags by name, for containers other than WAV."""
        return dict(self.tags) or tags_of_info(self.info)

    def beyond_tags(self, container: str) -> list[str]:
        """What a container with tags only cannot store, in words; without new markers, which the sidecar states."""
        parts = [f"the {name}" for name in UNWRITTEN.get(container, ()) if self.named_tags.get(name)]
        if self.broadcast is not None:
            parts.append("the broadcast extension")
        if self.ixml is not None:
            parts.append("iXML")
        if old := [marker for marker in self.markers if not marker.new]:
            parts.append(_count(len(old), "marker"))
        if self.sampler is not None:
            parts.append("the sampler loop" if self.sampler.loops else "the root note")
        parts += [name.decode("latin-1").strip() for name in self.chunks]
        known = tags_of_info(self.info)
        if others := len([item for item in self.info if item[0] != b"ISFT"]) - len(known.keys() - {"software"}):
            parts.append(_count(others, "INFO item"))
        return parts


def chunk(name: bytes, content: bytes) -> bytes:
    """A RIFF chunk, padded to an even size."""
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


def list_of(kind: bytes, items: Items) -> bytes:
    """Content of a ``LIST`` chunk."""
    return kind + b"".join(chunk(name, content) for name, content in items)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
