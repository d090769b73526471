"""MPEG audio (MP3): where its frames, tags and headers lie, since no header says where a stream ends.

libmpg123 believes the first header of several, guesses the length of a stream without one from its first frame, and
gives up in damaged places. So frames are counted here, and what is not one plain stream is handed over as one: see
`MpegStream.pieces`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from audiogen.audio.scanning import Scanner

Range = tuple[int, int]  # of bytes in a file: begin and end
Kind = tuple[int, int, int, int]  # version (1, 2 or 25 for 2.5), layer, Hz, channels

VERSIONS = {3: 1, 2: 2, 0: 25}
RATES = {1: (44100, 48000, 32000), 2: (22050, 24000, 16000), 25: (11025, 12000, 8000)}
BITRATES = {  # kbit/s, by whether the version is 1, and by layer (ISO/IEC 11172-3, 2.4.2.3; 13818-3, 2.4.2.3)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
HEADERS = (b"Xing", b"Info")


@dataclass
class MpegStream:
    """One stream of frames of one kind.

    Args:
        kind: of its frames.
        begin: where it begins; of the first in a file, with the tag before it.
        end: where it ends.
        runs: ranges of bytes of frames that lie end to end; without the header frame.
        frames: how many they are.
        header: range of the header frame (Xing, Info or VBRI), if there is one.
        promised: frames by that header, if it says so.
        bitrates: that occur in them, kbit/s.
        skipped: bytes before or between them that are neither frames nor tags.
    """

    kind: Kind
    begin: int
    end: int = 0
    runs: list[Range] = field(default_factory=list)
    frames: int = 0
    header: Range | None = None
    promised: int | None = None
    bitrates: set[int] = field(default_factory=set)
    skipped: int = 0

    def add(self, place: int, end: int, bitrate: int) -> None:
        """Another frame."""
        if self.runs and self.runs[-1][1] == place:
            self.runs[-1] = self.runs[-1][0], end
        else:
            self.runs.append((place, end))
        self.frames, self.end = self.frames + 1, end
        self.bitrates.add(bitrate)

    @property
    def plain(self) -> bool:
        """Whether libmpg123 reads it as it is: nothing between the frames, and a length that it gets right."""
        first = self.runs[0][0] if self.runs else self.end
        whole = len(self.runs) <= 1 and not self.skipped and (self.header is None or self.header[1] == first)
        if self.header is None:
            return whole and (len(self.bitrates) <= 1 or self.kind[1] != 3)
        return whole and self._counted(self.promised)

    def _counted(self, promised: int | None) -> bool:
        """Whether a header's count is of use: there, and of all frames or more (of a file that is cut short).

        Some encoders count one less.
        """
        return promised is not None and promised >= self.frames - 1

    def pieces(self, scanner: Scanner) -> list[Range | bytes]:
        """What makes a file of this stream alone: ranges of bytes, and a header that counts its frames."""
        if self.plain:
            return [(self.begin, self.end)]
        if self.header is not None and self._counted(self.promised):
            return [self.header, *self.runs]
        if self.kind[1] != 3 or not self.runs:
            return list(self.runs)
        return [_counting_frame(scanner.at(self.runs[0][0], 4), self.kind, self.frames), *self.runs]


@lru_cache(maxsize=1024)
def frame_of(head: bytes) -> tuple[Kind, int, int] | None:
    """Kind, bytes and kbit/s of the frame that begins with these four bytes; None for no (or a free-format) header."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = VERSIONS.get(head[1] >> 3 & 3), 4 - (head[1] >> 1 & 3)
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version is None or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    padding, hertz = head[2] >> 1 & 1, RATES[version][rate]
    kbits = BITRATES[version == 1, layer][bitrate - 1]
    if layer == 1:
        size = (12_000 * kbits // hertz + padding) * 4
    else:
        size = (72_000 if layer == 3 and version != 1 else 144_000) * kbits // hertz + padding
    return (version, layer, hertz, 1 if head[3] >> 6 == 3 else 2), size, kbits


def tag_end(scanner: Scanner, place: int) -> int:
    """Where the tags (ID3, APE, Lyrics3) that begin at ``place`` end: ``place`` itself without any."""
    while True:
        head = scanner.at(place, 32)
        if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
            footer = 10 if head[5] & 0x10 else 0
            place += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + footer
        elif head[:3] == b"TAG":
            place += 128
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            size, flags = struct.unpack("<I4xI", head[12:24])
            place += 32 + (size if flags & 0x20000000 else 0)  # a footer comes after its tag
        elif head[:11] == b"LYRICSBEGIN":
            ends = [found + 9 for name in (b"LYRICS200", b"LYRICSEND") if (found := scanner.find(name, place)) >= 0]
            place = min(ends, default=scanner.size)
        else:
            return min(place, scanner.size)


def is_stream(scanner: Scanner, place: int) -> bool:
    """Whether three frames of one kind follow one another at ``place``, or fewer end the file."""
    first = frame = frame_of(scanner.at(place, 4))
    for _ in range(2):
        if first is None or frame is None or frame[0][:3] != first[0][:3]:
            return False
        place = tag_end(scanner, place + frame[1])
        if place == scanner.size:
            return True
        frame = frame_of(scanner.at(place, 4))
    return first is not None and frame is not None and frame[0][:3] == first[0][:3]


def find_stream(scanner: Scanner, place: int) -> int:
    """Where frames begin next, from ``place`` on; -1 when nowhere."""
    while (place := scanner.find(b"\xff", place)) >= 0:
        if is_stream(scanner, place):
            return place
        place += 1
    return -1


def streams_at(scanner: Scanner, place: int, foreign: Callable[[int], bool]) -> list[MpegStream]:
    """The streams that follow one another from ``place`` on, up to the end or to what is ``foreign``.

    A new one begins where a header frame or frames of another kind do. Tags between others are passed over.
    """
    streams: list[MpegStream] = []
    skipped, first = 0, place
    while True:
        place = tag_end(scanner, place)
        last = streams[-1] if streams else None
        frame = frame_of(scanner.at(place, 4))
        if frame is not None and last is not None and frame[0] != last.kind and not is_stream(scanner, place):
            frame = None
        if frame is None:
            found = -1 if foreign(place) else find_stream(scanner, place)
            if found < 0:
                break
            skipped, place = skipped + found - place, found
            continue
        kind, size, bitrate = frame
        if place + size > scanner.size:  # cut inside its last frame
            place = scanner.size
            break
        header, promised = _header(scanner.at(place, size), kind)
        if last is None or header or last.kind != kind:
            streams.append(MpegStream(kind, place if streams else first, promised=promised, skipped=skipped))
        elif skipped:
            last.skipped += skipped
        place += size
        if header:
            streams[-1].header, streams[-1].end = (place - size, place), place
        else:
            streams[-1].add(place - size, place, bitrate)
        skipped = 0
    if streams:
        streams[-1].end = place
    return [stream for stream in streams if stream.frames or stream.header]


def _header_place(kind: Kind) -> int:
    """Where a header frame has its name: after the side information, which is empty."""
    version, _, _, channels = kind
    return 4 + ((32 if channels == 2 else 17) if version == 1 else (17 if channels == 2 else 9))


def _header(frame: bytes, kind: Kind) -> tuple[bool, int | None]:
    """Whether a frame is a header, and how many frames it promises."""
    if kind[1] != 3:
        return False, None
    place = _header_place(kind)
    if frame[place : place + 4] in HEADERS and not any(frame[6:place]):
        flags, count = struct.unpack(">II", frame[place + 4 : place + 12].ljust(8, b"\0"))
        return True, count if flags & 1 else None
    if frame[36:40] == b"VBRI":
        return True, struct.unpack(">I", frame[50:54].ljust(4, b"\0"))[0]
    return False, None


def _counting_frame(head: bytes, kind: Kind, frames: int) -> bytes:
    """A header frame for so many frames that begin with ``head``."""
    for bitrate in range(1, 15):
        own = bytes([0xFF, head[1] | 1, bitrate << 4 | head[2] & 0x0C, head[3]])
        frame, place = frame_of(own), _header_place(kind)
        if frame is not None and frame[1] >= place + 12:
            name = struct.pack(">4sII", b"Xing", 1, frames)
            return (own + bytes(place - 4) + name).ljust(frame[1], b"\0")
    raise AssertionError("no frame of any bit rate holds a header")
