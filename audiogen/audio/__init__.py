"""Audio in and out: Recording; read, write, resample, levels. Only this package knows libsndfile and FFmpeg.

What is decided about difficult files (each decision has its test):

- Files are opened by content; the suffix is ignored. WAV (8, 16, 24, 32 bits, float, RF64, mu-law, A-law,
  ADPCM), FLAC, OGG, Opus, MP3, AIFF, CAF and others are libsndfile's; what it cannot open goes to FFmpeg when
  the optional ``audiogen[decode]`` is installed, and is an `InputError` that says so when not.
- No such file, a folder, an empty file, a header without samples, text, a rate outside 1 to 768 kHz:
  `InputError`.
- A file cut short gives the part that decodes, with a warning; a size left open by a streaming writer is no
  fault.
- NaN and infinite samples are bridged by straight lines, with a warning that counts them; when they are more
  than half of the file it is an `InputError`.
- Silence, one sample, a constant offset: fine, and kept. The samples are the user's.
- Clipping (samples at full scale that repeat the two before them; from one in 10 000 on) warns; kept as they
  are.
- Floats beyond full scale are kept, with a warning. Lossy decoders overshoot by nature: kept, no warning.
- Recordings that lie end to end in one file (``cat a.ogg b.ogg``) are one; those of another rate or number of
  channels than the first are left out, with a warning. So are bytes that are no audio, unless they are zeros or few.
- Samples with more than 24 bits (32-bit integers, doubles) are float32 in a Recording, and are read from its file
  again where they are to be written as they were.
- Channel masks are kept; Vorbis and Opus order their channels otherwise, and are brought into the order of a WAV.
- What takes more memory than there is to spare is refused by its header, before it is read.
- Output never clips silently, never dithers samples that are declared exact, and never appears half-written.
"""

from audiogen.audio.layout import ChannelLayout
from audiogen.audio.levels import Info, LoudnessMeter, info
from audiogen.audio.reading import BlockReader, open_blocks, read
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.audio.resampling import Resampler, resample, resampled_length
from audiogen.audio.writing import CONTAINERS, Writer, subtype_for, write

__all__ = [
    "CONTAINERS",
    "AudioWarning",
    "BlockReader",
    "ChannelLayout",
    "Info",
    "LoudnessMeter",
    "Recording",
    "Resampler",
    "Writer",
    "info",
    "open_blocks",
    "read",
    "resample",
    "resampled_length",
    "subtype_for",
    "write",
]
