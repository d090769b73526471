"""Channel layouts: which loudspeaker each channel is for, as read from files and written to them."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from audiogen.audio.riff_chunks import FORMS, format_chunk
from audiogen.audio.scanner import Scanner

EXTENSIBLE = 0xFFFE
PLAIN_GUID = bytes.fromhex("000000001000800000aa00389b71")
"""Last 14 bytes of the format GUID of a WAV; the first two are the format tag, as in a plain ``fmt`` chunk."""

AMBISONIC_GUID = bytes.fromhex("00002107d3118644c8c1ca000000")
"""The same for B-format (R. Leese 2001, "The .amb file format")."""

DEFAULT_MASKS = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x13F, 8: 0x63F}
"""Channels -> mask that applies if a file states none: mono, stereo, 3.0, quad, 5.0, 5.1, 6.1, 7.1."""

NAMES: tuple[str, ...] = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC")
NAMES += ("SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR")
"""FFmpeg's names of the loudspeakers, in the order of the bits of a channel mask."""

VORBIS_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}
"""For each channel in WAV order, its index in Vorbis (I specification, 4.3.9) and Opus (RFC 7845, 5.1.1.2)."""

SIDE_6_1 = 0x70F  # mask of seven channels in FLAC (RFC 9639, 9.1.3), Vorbis and Opus
"""Front left, right, centre, low frequencies, back centre, side left and right."""


@dataclass(frozen=True)
class ChannelLayout:
    """Loudspeaker positions of the channels of a recording.

    Args:
        mask: as the ``dwChannelMask`` of a WAV: one bit per loudspeaker, in the order of the channels; 0 for none.
        ambisonic: whether the channels are ambisonic B-format instead.
    """

    mask: int
    ambisonic: bool = False

    def __str__(self) -> str:
        return "ambisonic B-format" if self.ambisonic else f"channel mask 0x{self.mask:X}"

    def is_default(self, channels: int) -> bool:
        """Whether a file that states no layout is assumed to have this one."""
        return not self.ambisonic and self.mask == DEFAULT_MASKS.get(channels, 0)

    def is_implied(self, container: str, channels: int) -> bool:
        """Whether a FLAC, OGG or MP3 file, which cannot state a layout, is assumed to have this one."""
        return self == ChannelLayout(SIDE_6_1) if channels == 7 and container != "MP3" else self.is_default(channels)


def layout_in(scanner: Scanner, channels: int) -> ChannelLayout | None:
    """The layout that a WAV or FLAC file states; None if it is the default."""
    if scanner.at(0, 4) in FORMS:
        return _of_wav(format_chunk(scanner, 0), channels)
    if scanner.at(0, 4) == b"fLaC":
        mask = SIDE_6_1 if channels == 7 else DEFAULT_MASKS.get(channels, 0)
        return _of_flac(scanner) or _unless_default(mask, channels)
    return None


def _of_wav(chunk: bytes | None, channels: int) -> ChannelLayout | None:
    if chunk is None or len(chunk) < 40 or struct.unpack("<H", chunk[:2])[0] != EXTENSIBLE:
        # A plain file states nothing, and of four channels nothing can be assumed: first-order ambisonics (AmbiX) is
        # as common as quad, and its outputs must not claim to be that.
        return ChannelLayout(0) if chunk is not None and channels == 4 else None
    guid = chunk[26:40]
    if guid not in (PLAIN_GUID, AMBISONIC_GUID):
        return None
    return ChannelLayout(struct.unpack("<I", chunk[20:24])[0], guid == AMBISONIC_GUID)


def _of_flac(scanner: Scanner) -> ChannelLayout | None:
    position, last = 4, False
    while not last and position + 4 <= scanner.size:
        head = scanner.at(position, 4)
        last, kind, size = bool(head[0] & 0x80), head[0] & 0x7F, int.from_bytes(head[1:], "big")
        if kind == 4:
            match = re.search(
                rb"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x([0-9a-f]{1,8})", scanner.at(position + 4, size), re.I
            )
            return ChannelLayout(int(match[1], 16)) if match else None
        position += 4 + size
    return None


def layout_of_names(names: Sequence[str]) -> ChannelLayout | None:
    """The layout of loudspeakers given by FFmpeg's names; None if it is the default, or no mask can express it."""
    if not all(name in NAMES for name in names):
        return None
    return _unless_default(sum(1 << NAMES.index(name) for name in names), len(names))


def vorbis_order(channels: int, layout: ChannelLayout | None) -> tuple[int, ...] | None:
    """For each channel, its index in Vorbis and Opus; None if the order is the same."""
    if channels == 7 and (layout is None or layout.is_default(7)):
        return (0, 2, 1, 6, 3, 4, 5)  # back left, right and centre in place of back centre, side left and right
    return VORBIS_ORDER.get(channels)


def layout_of_vorbis(channels: int) -> ChannelLayout | None:
    """The layout of Vorbis and Opus channels in WAV order; None if it is the default."""
    return ChannelLayout(SIDE_6_1) if channels == 7 else None


def _unless_default(mask: int, channels: int) -> ChannelLayout | None:
    layout = ChannelLayout(mask)
    return None if layout.is_default(channels) else layout
