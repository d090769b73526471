"""WAV files with metadata, put together from bytes, so that the package's own writers are not their own judge."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

RATE = 48000

IXML = b"""<?xml version="1.0" encoding="UTF-8"?>
<BWFXML>
  <IXML_VERSION>1.61</IXML_VERSION>
  <PROJECT>Harbour</PROJECT><SCENE>12A</SCENE><TAKE>3</TAKE>
  <FILE_UID>DEVICE-0001</FILE_UID>
  <SPEED>
    <AUDIO_BIT_DEPTH>16</AUDIO_BIT_DEPTH>
    <TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>0</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>
    <TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>172800000</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>
  </SPEED>
  <TRACK_LIST><TRACK_COUNT>1</TRACK_COUNT><TRACK><CHANNEL_INDEX>1</CHANNEL_INDEX><NAME>Boom</NAME></TRACK></TRACK_LIST>
</BWFXML>"""


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def bext(time_reference: int = 172_800_000, history: bytes = b"A=PCM,F=48000,W=16,M=mono,T=recorder\r\n") -> bytes:
    texts = struct.pack(
        "<256s32s32s10s8s", b"Rain on a tin roof", b"Recorder 7", b"REF0001", b"2026-11-30", b"01:02:03"
    )
    numbers = struct.pack("<QH64s5h180x", time_reference, 2, b"U" * 64, -2300, 500, -100, -2000, -2100)
    return chunk(b"bext", texts + numbers + history)


def cue(*positions: int) -> bytes:
    points = [struct.pack("<II4sIII", 10 + k, at, b"data", 0, 0, at) for k, at in enumerate(positions)]
    return chunk(b"cue ", struct.pack("<I", len(points)) + b"".join(points))


def labels(*texts: bytes, region: tuple[int, int] | None = None) -> bytes:
    """``LIST adtl``; ``region``: index of a cue point, and length in samples."""
    items = [chunk(b"labl", struct.pack("<I", 10 + k) + text + b"\0") for k, text in enumerate(texts)]
    if region is not None:
        items.append(chunk(b"ltxt", struct.pack("<II4s4H", 10 + region[0], region[1], b"rgn ", 0, 0, 0, 0)))
    return chunk(b"LIST", b"adtl" + b"".join(items))


def info(**items: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), text + b"\0") for name, text in items.items()))


def smpl(root: int, *loops: tuple[int, int]) -> bytes:
    ends = [struct.pack("<6I", k, 0, first, last, 0, 0) for k, (first, last) in enumerate(loops)]
    return chunk(b"smpl", struct.pack("<9I", 0, 0, 20833, root, 0, 0, 0, len(loops), 0) + b"".join(ends))


def everything(length: int) -> list[bytes]:
    """Chunks of every kind, for a file of ``length`` samples."""
    return [
        bext(),
        cue(1000, length // 2, length + 5),
        labels(b"door", b"gust", b"past the end", region=(1, length)),
        info(INAM=b"Rain", IART=b"A. Recordist", ICMT=b"windy", ISFT=b"Recorder firmware", IKEY=b"rain; roof"),
        smpl(48, (100, 2000)),
        chunk(b"inst", bytes([48, 0, 0, 0, 127, 0, 127])),
        chunk(b"iXML", IXML),
        chunk(b"axml", b"<ebuCoreMain/>"),
        chunk(b"chna", struct.pack("<HH", 1, 1) + bytes(40)),
        chunk(b"minf", b"private"),
        chunk(b"PEAK", bytes(16)),
        chunk(b"JUNK", bytes(7)),
    ]


def write_wav(
    path: Path, samples: np.ndarray, *chunks: bytes, after: tuple[bytes, ...] = (), rf64: bool = False
) -> Path:
    """A 16-bit mono WAV of ``samples`` in -1..1 with chunks before and after its samples."""
    data = (samples * 32767).astype("<i2").tobytes()
    fmt = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
    body = fmt + b"".join(chunks)
    if rf64:
        size = 4 + 36 + len(body) + 8 + len(data) + sum(map(len, after))  # of all after the first 8 bytes
        ds64 = chunk(b"ds64", struct.pack("<QQQI", size, len(data), len(samples), 0))
        head = b"RF64" + b"\xff" * 4 + b"WAVE" + ds64
        path.write_bytes(head + body + b"data" + b"\xff" * 4 + data + b"".join(after))
    else:
        body += chunk(b"data", data) + b"".join(after)
        path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    return path


def wave64(path: Path, samples: np.ndarray, *chunks: bytes) -> Path:
    """A Wave64 file of the same samples; its chunks are given in their RIFF form."""
    end = bytes.fromhex("f3acd3118cd100c04f8edb8a")

    def wide(name: bytes, content: bytes) -> bytes:
        return name + end + struct.pack("<Q", 24 + len(content)) + content + b"\0" * (-len(content) % 8)

    fmt = wide(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
    body = fmt + b"".join(wide(each[:4], each[8:]) for each in chunks)
    body += wide(b"data", (samples * 32767).astype("<i2").tobytes())
    riff = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000") + struct.pack("<Q", 40 + len(body))
    path.write_bytes(riff + b"wave" + end + body)
    return path
