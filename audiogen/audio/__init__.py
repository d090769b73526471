"""Audio input and output: `Recording`, reading, writing, resampling, levels.

Only this package uses libsndfile and FFmpeg.

How difficult files are treated (each case has a test):

- Files are opened by content; the suffix is ignored. libsndfile decodes WAV (8, 16, 24, 32 bits, float, RF64, mu-law,
  A-law, ADPCM), FLAC, OGG, Opus, MP3, AIFF, CAF and others; FFmpeg, if the optional ``audiogen[decode]`` is installed,
  what libsndfile cannot open.
- No such file, a folder, an empty file, a header without samples, text, a sample rate outside 1 to 768 kHz:
  `InputError`.
- A truncated file gives the part that can be decoded, with a warning; a size left open by a streaming writer is not an
  error.
- NaN and infinite samples are interpolated linearly, with a warning that counts them; if they are more than half of the
  file: `InputError`.
- Silence, a single sample, a constant offset are accepted unchanged.
- Clipping (samples at full scale that repeat the two before them, from one in 10 000 on): kept, with a warning.
- Floats beyond full scale: kept, with a warning. Lossy decoders overshoot by nature: kept, no warning.
- Concatenated recordings (``cat a.ogg b.ogg``) are read as one; those with another sample rate or number of channels
  than the first are skipped, with a warning. So are bytes that are not audio, unless they are zeros or few.
- Samples with more than 24 bits (32-bit integers, doubles) are float32 in a Recording, and are read from the file again
  when they are to be written unchanged.
- Channel masks are kept; the channels of Vorbis and Opus are brought into WAV order.
- Recordings of any length are continued: of a long one, only the end is held (`open_recording`).
- Elsewhere, a file that needs more memory than is available is refused by its header, before it is read.
- Output is never clipped without a warning, never dithered where samples are declared exact, and never appears
  half-written.
"""

from audiogen.audio.channel_layout import ChannelLayout
from audiogen.audio.file_info import Info, info
from audiogen.audio.long_recording import LongRecording
from audiogen.audio.loudness import LoudnessMeter
from audiogen.audio.metadata import Edit, Marker, Metadata, Span, read_metadata
from audiogen.audio.opening import open_recording
from audiogen.audio.reading import BlockReader, open_blocks, read
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.audio.resampling import Resampler, resample, resample_parts, resampled_length
from audiogen.audio.sample_formats import CONTAINERS, subtype_for
from audiogen.audio.segments import SegmentReader, read_segment
from audiogen.audio.writing import Writer, write

__all__ = [
    "CONTAINERS",
    "AudioWarning",
    "BlockReader",
    "ChannelLayout",
    "Edit",
    "Info",
    "LongRecording",
    "LoudnessMeter",
    "Marker",
    "Metadata",
    "Recording",
    "Resampler",
    "SegmentReader",
    "Span",
    "Writer",
    "info",
    "open_blocks",
    "open_recording",
    "read",
    "read_metadata",
    "read_segment",
    "resample",
    "resample_parts",
    "resampled_length",
    "subtype_for",
    "write",
]
