"""MPEG audio (MP3): positions of its frames, tags and headers, as no header states where a stream ends.

libmpg123 trusts the first of several headers, estimates the length of a stream without one from its first frame, and
stops at damaged frames. So frames are counted here, and anything but a plain stream is decoded from a copy that is
one: see `MpegStream.pieces`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from audiogen.audio.scanner import Scanner

Range = tuple[int, int]  # of bytes in a file: start and end
Kind = tuple[int, int, int, int]  # version (1, 2 or 25 for 2.5), layer, Hz, channels

VERSIONS = {3: 1, 2: 2, 0: 25}
RATES = {1: (44100, 48000, 32000), 2: (22050, 24000, 16000), 25: (11025, 12000, 8000)}
BITRATES = {  # (version is 1, layer) -> kbit/s (ISO/IEC 11172-3, 2.4.2.3; 13818-3, 2.4.2.3)
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
    """A stream of frames of one kind.

    Args:
        kind: of its frames.
        begin: start position; for the first stream in a file, that of the tag before it.
        end: end position.
        runs: ranges of contiguous frames, without the header frame.
        frames: number of frames.
        header: range of the header frame (Xing, Info or VBRI), if there is one.
        promised: number of frames that the header states, if it does.
        bitrates: of the frames, kbit/s.
        skipped: bytes before or between the frames that are neither frames nor tags.
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

    def add(self, position: int, end: int, bitrate: int) -> None:
        """Append a frame."""
        if self.runs and self.runs[-1][1] == position:
            self.runs[-1] = self.runs[-1][0], end
        else:
            self.runs.append((position, end))
        self.frames, self.end = self.frames + 1, end
        self.bitrates.add(bitrate)

    @property
    def plain(self) -> bool:
        """Whether libmpg123 decodes it correctly as it is: contiguous frames, and a length that it determines right."""
        first = self.runs[0][0] if self.runs else self.end
        whole = len(self.runs) <= 1 and not self.skipped and (self.header is None or self.header[1] == first)
        if self.header is None:
            return whole and (len(self.bitrates) <= 1 or self.kind[1] != 3)
        return whole and self._counted(self.promised)

    def _counted(self, promised: int | None) -> bool:
        """Whether a header states all frames, or more (of a truncated file). Some encoders count one less."""
        return promised is not None and promised >= self.frames - 1

    def pieces(self, scanner: Scanner) -> list[Range | bytes]:
        """The stream as a file of its own: ranges of bytes, preceded by a header with the right number of frames."""
        if self.plain:
            return [(self.begin, self.end)]
        if self.header is not None and self._counted(self.promised):
            return [self.header, *self.runs]
        if self.kind[1] != 3 or not self.runs:
            return list(self.runs)
        return [_header_frame(scanner.at(self.runs[0][0], 4), self.kind, self.frames), *self.runs]


@lru_cache(maxsize=1024)
def frame_of(head: bytes) -> tuple[Kind, int, int] | None:
    """Kind, bytes and kbit/s of the frame with this four-byte header; None if it is invalid or free-format."""
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


def tag_end(scanner: Scanner, position: int) -> int:
    """End of the tags (ID3, APE, Lyrics3) that start at ``position``; ``position`` itself if there are none."""
    while True:
        head = scanner.at(position, 32)
        if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
            footer = 10 if head[5] & 0x10 else 0
            position += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + footer
        elif head[:3] == b"TAG":
            position += 128
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            size, flags = struct.unpack("<I4xI", head[12:24])
            position += 32 + (size if flags & 0x20000000 else 0)  # a footer follows its tag
        elif head[:11] == b"LYRICSBEGIN":
            ends = [found + 9 for name in (b"LYRICS200", b"LYRICSEND") if (found := scanner.find(name, position)) >= 0]
            position = min(ends, default=scanner.size)
        else:
            return min(position, scanner.size)


def is_stream(scanner: Scanner, position: int) -> bool:
    """Whether three frames of one kind are contiguous at ``position``, or fewer at the end of the file."""
    first = frame = frame_of(scanner.at(position, 4))
    for _ in range(2):
        if first is None or frame is None or frame[0][:3] != first[0][:3]:
            return False
        position = tag_end(scanner, position + frame[1])
        if position == scanner.size:
            return True
        frame = frame_of(scanner.at(position, 4))
    return first is not None and frame is not None and frame[0][:3] == first[0][:3]


def find_stream(scanner: Scanner, position: int) -> int:
    """Position of the next frames from ``position`` on; -1 if there are none."""
    while (position := scanner.find(b"\xff", position)) >= 0:
        if is_stream(scanner, position):
            return position
        position += 1
    return -1


def streams_at(scanner: Scanner, position: int, foreign: Callable[[int], bool]) -> list[MpegStream]:
    """The streams from ``position`` up to the end of the file, or to another format.

    A new stream starts at a header frame, or where the kind of frames changes. Tags between streams are skipped.

    Args:
        scanner: of the file.
        position: where to start.
        foreign: whether another format starts at a position.
    """
    streams: list[MpegStream] = []
    skipped, first = 0, position
    while True:
        if (head := scanner.at(position, 4))[:1] != b"\xff":
            position = tag_end(scanner, position)
            head = scanner.at(position, 4)
        last = streams[-1] if streams else None
        frame = frame_of(head)
        if frame is not None and last is not None and frame[0] != last.kind and not is_stream(scanner, position):
            frame = None
        if frame is None:
            found = -1 if foreign(position) else find_stream(scanner, position)
            if found < 0:
                break
            skipped, position = skipped + found - position, found
            continue
        kind, size, bitrate = frame
        if position + size > scanner.size:  # truncated in its last frame
            position = scanner.size
            break
        header, promised = _header(scanner.at(position, size), kind)
        if last is None or header or last.kind != kind:
            streams.append(MpegStream(kind, position if streams else first, promised=promised, skipped=skipped))
        elif skipped:
            last.skipped += skipped
        position += size
        if header:
            streams[-1].header, streams[-1].end = (position - size, position), position
        else:
            streams[-1].add(position - size, position, bitrate)
        skipped = 0
    if streams:
        streams[-1].end = position
    return [stream for stream in streams if stream.frames or stream.header]


def _header_position(kind: Kind) -> int:
    """Offset of the name in a header frame: after the side information, which is empty."""
    version, _, _, channels = kind
    return 4 + ((32 if channels == 2 else 17) if version == 1 else (17 if channels == 2 else 9))


def _header(frame: bytes, kind: Kind) -> tuple[bool, int | None]:
    """Whether a frame is a header, and the number of frames that it states."""
    if kind[1] != 3:
        return False, None
    position = _header_position(kind)
    if frame[position : position + 4] in HEADERS and not any(frame[6:position]):
        flags, count = struct.unpack(">II", frame[position + 4 : position + 12].ljust(8, b"\0"))
        return True, count if flags & 1 else None
    if frame[36:40] == b"VBRI":
        return True, struct.unpack(">I", frame[50:54].ljust(4, b"\0"))[0]
    return False, None


def _header_frame(head: bytes, kind: Kind, frames: int) -> bytes:
    """A Xing header frame that states ``frames``, for frames with the header ``head``."""
    for bitrate in range(1, 15):
        own = bytes([0xFF, head[1] | 1, bitrate << 4 | head[2] & 0x0C, head[3]])
        frame, position = frame_of(own), _header_position(kind)
        if frame is not None and frame[1] >= position + 12:
            name = struct.pack(">4sII", b"Xing", 1, frames)
            return (own + bytes(position - 4) + name).ljust(frame[1], b"\0")
    raise AssertionError("no bit rate has frames that are large enough for a header")
