"""Edges of recordings: false alarms, found fades, and tails of faded and paused prompts; ambience under known speech.

    python tools/check_edges.py FOLDER... -o docs/edges.md [--seconds 15] [--fades NAMES] [--tails NAMES] [--beds NAMES]

Each folder holds untouched recordings. Those without edges of their own, of 12 s and more, are then given fades of each
kind and length, silence and a click, and the edges that are found are compared with the truth. Tails are those of the
base (`--budget 0`). Speech is synthetic, over recordings as the bed, so that the bed alone is known.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from markdown_table import table

from audiogen.audio import Recording, read
from audiogen.errors import InputError
from audiogen.jobs.continue_sound import Request, continue_variations
from audiogen.sound.ambience import band_levels, extract_ambience
from audiogen.sound.fade_detection import NONE, find_edges
from audiogen.text_files import write_text

SUFFIXES = (".ogg", ".flac", ".wav")
PROMPT_SECONDS, MIN_SECONDS = 18.0, 12.0
TRIMMED_SECONDS = 0.5  # of either end, in case it has an edge that is not known
LENGTHS = (0.05, 0.3, 1.0, 3.0, 10.0)
KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda u: 1 - u,
    "exponential": lambda u: 10 ** (-3 * u),
    "S-curve": lambda u: 0.5 + 0.5 * np.cos(np.pi * u),
}
FADED = (("linear", 0.5), ("linear", 5), ("S-curve", 0.5), ("S-curve", 2), ("exponential", 0.5), ("exponential", 5))
AUDIBLE_DB = 3.0  # a fade whose remainder is attenuated by less is cut off well enough
SPEECH_DB = (26.0, 14.0)  # above the bed


def edited(samples: np.ndarray, rate: int, kind: str, seconds: float) -> np.ndarray:
    """``[channels, time]`` samples that fade out."""
    faded, length = samples.copy(), round(seconds * rate)
    faded[:, -length:] *= KINDS[kind]((np.arange(length) + 0.5) / length)
    return faded


def with_silence(samples: np.ndarray, rate: int) -> np.ndarray:
    """Samples with a pause of a second in the middle and one at the end."""
    half, pause = samples.shape[1] // 2, np.zeros((len(samples), rate), samples.dtype)
    return np.concatenate([samples[:, :half], pause, samples[:, half:], pause], axis=1)


def with_click(samples: np.ndarray, rate: int) -> np.ndarray:
    """Samples with a click 10 ms before their end, 20 dB above the usual curvature of the waveform."""
    clicked, place = samples.copy(), samples.shape[1] - rate // 100
    clicked[:, place] += 5 * np.abs(np.diff(samples, 2, axis=1)).max()
    return clicked


def remaining_db(kind: str, seconds: float, found: float) -> float:
    """Attenuation in dB at the join, where ``found`` seconds of a fade were cut off."""
    position = np.clip(1 - found / seconds, 0, 1 - 1e-9)
    return float(-20 * np.log10(KINDS[kind](np.array(position)) + 1e-12))


def false_alarms(recordings: dict[str, Recording]) -> list[list[str]]:
    """Rows for the untouched recordings with edges."""
    rows = []
    for name, recording in recordings.items():
        edges = find_edges(recording)
        if edges != (NONE, NONE):
            texts = [edge.describe(end) or "-" for edge, end in zip(edges, (False, True), strict=True)]
            rows.append([name, f"{recording.seconds:.1f}", *texts])
    return rows


def found_edges(recordings: dict[str, Recording]) -> list[list[str]]:
    """Rows of what is found of known edges, worst recordings first."""
    rows = []
    for name, recording in recordings.items():
        samples, rate = recording.samples, recording.sample_rate
        cells, missed = [], 0
        for kind in KINDS:
            for seconds in LENGTHS:
                if seconds > 0.6 * recording.seconds:
                    cells.append("")
                    continue
                end = find_edges(Recording(edited(samples, rate, kind, seconds), rate))[1]
                left = remaining_db(kind, seconds, end.seconds)
                missed += left > AUDIBLE_DB
                cells.append(f"{end.seconds:.2f}" + ("*" if left > AUDIBLE_DB else ""))
        cells.append(f"{find_edges(Recording(with_silence(samples, rate), rate))[1].seconds:.2f}")
        cells.append("yes" if find_edges(Recording(with_click(samples, rate), rate))[1].click else "no")
        rows.append([str(missed), name, *cells])
    return [row[1:] for row in sorted(rows, key=lambda row: -int(row[0]))]


def tenths(samples: np.ndarray, rate: int) -> np.ndarray:
    """Levels in dB of tenths of a second of ``[channels, time]``."""
    size = rate // 10
    blocks = samples[:, : samples.shape[1] // size * size].reshape(len(samples), -1, size)
    return 10 * np.log10(np.square(blocks, dtype=np.float64).mean((0, 2)) + 1e-20)


def level_db(samples: np.ndarray) -> float:
    """Mean level in dB."""
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean() + 1e-20))


def level_spread(samples: np.ndarray, rate: int, seconds: float) -> float:
    """What the level of a segment differs by from that of the segment before it, dB: once in ten by more."""
    size = round(min(seconds, samples.shape[1] / rate / 3) * rate)
    starts = range(0, samples.shape[1] - 2 * size + 1, rate)
    steps = [level_db(samples[:, s + size : s + 2 * size]) - level_db(samples[:, s : s + size]) for s in starts]
    return float(np.quantile(np.abs(steps), 0.9))


def tail_figures(steady: Recording, whole: Recording, prompt: np.ndarray, seconds: float, **options: bool) -> list[str]:
    """Dips of a tail, its beginning and its level, against the steady part of what the prompt was made from."""
    rate = steady.sample_rate
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "tail.wav"
        request = Request(seconds=seconds, tail_only=True, subtype="FLOAT", **options)
        (sidecar,) = continue_variations(Recording(prompt, rate), [(out, request)], budget=0)
        tail = read(out).samples
    own, usual = tenths(tail, rate), tenths(steady.samples, rate)
    deepest = float(np.median(usual) - usual.min())
    dips = int((own < np.median(own) - max(6.0, deepest)).sum())
    level, usually = level_db(tail) - level_db(steady.samples), level_spread(whole.samples, rate, seconds)
    before = sidecar["prompt_range"][1] / rate
    place = np.median(usual) if options else tenths(prompt[:, : sidecar["prompt_range"][1]], rate)[-5:].mean()
    steps = np.abs(usual[5:] - np.convolve(usual, np.ones(5) / 5, "valid")[:-1])  # as from the prompt to the tail
    first = f"{own[0] - place:+.1f} ({np.quantile(steps, 0.95):.1f})"
    return [f"{before:.2f}", str(dips), first, f"{level:+.1f} ({usually:.1f})"]


def tails(recordings: dict[str, tuple[Recording, Recording]], seconds: float) -> list[list[str]]:
    """Rows of the tails of faded and paused prompts, made from excerpts; beside each the whole recording."""
    rows = []
    for name, (recording, whole) in recordings.items():
        samples, rate = recording.samples, recording.sample_rate
        parts = {"fade-in 1 s, fade-out 2 s": (1, 2), **{f"{kind} {length:g} s": (0, length) for kind, length in FADED}}
        both = edited(edited(samples, rate, "linear", 2)[:, ::-1], rate, "linear", 1)[:, ::-1]
        prompts = {
            "untouched": samples,
            "fade-in 1 s, fade-out 2 s": both,
            **{f"{kind} {seconds:g} s": edited(samples, rate, kind, seconds) for kind, seconds in FADED},
            "silence 1 s": np.concatenate([samples, np.zeros((len(samples), rate), np.float32)], axis=1),
            "silence 1 s, and inside": with_silence(samples, rate),
            "click": with_click(samples, rate),
        }
        for kind, prompt in prompts.items():
            first, last = parts.get(kind, (0, 0))
            steady = Recording(samples[:, first * rate : samples.shape[1] - round(last * rate)], rate)
            # A pause inside is material: the tail may have it, too.
            steady = Recording(prompt[:, :-rate], rate) if "inside" in kind else steady
            rows.append([name, kind, *tail_figures(steady, whole, np.ascontiguousarray(prompt), seconds)])
            print(rows[-1], file=sys.stderr, flush=True)
        steady = Recording(samples[:, rate : -2 * rate], rate)
        rows.append([name, "fades, --keep-edges", *tail_figures(steady, whole, both, seconds, keep_edges=True)])
    return rows


def speech(length: int, rate: int, level: float, pause: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic phrases of syllables with reverberation, ``[time]`` at an RMS level, and where phrases are, bool."""
    generator = np.random.default_rng(seed)
    samples, spoken = np.zeros(length), np.zeros(length, bool)
    place = rate
    while place < length - rate:
        end, pitch, start = min(place + round(generator.uniform(1, 3) * rate), length - rate // 2), 0.0, place
        while place < end:
            pitch = generator.uniform(90, 220)
            count = min(round(generator.uniform(0.08, 0.25) * rate), length - place)
            time = np.arange(count) / rate
            formant = generator.uniform(400, 900)
            sound = sum(
                np.sin(2 * np.pi * pitch * k * time) * (np.exp(-(((pitch * k - formant) / 900) ** 2)) + 0.15 / k)
                for k in range(1, 30)
            )
            sound = sound if generator.random() < 0.75 else 0.4 * np.diff(generator.standard_normal(count + 1))
            samples[place : place + count] += np.sqrt(np.sin(np.pi * (np.arange(count) + 0.5) / count)) * sound
            place += count + round(generator.uniform(0.02, 0.1) * rate)
        spoken[start:place] = True
        place += round((0.3 + generator.exponential(pause)) * rate)
    time = np.arange(round(0.3 * rate)) / rate
    response = 0.02 * generator.standard_normal(len(time)) * 10 ** (-60 / 20 * time / 0.3)
    response[0] = 1
    size = 1 << (length + len(time)).bit_length()
    samples = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[:length]
    return samples * level / np.sqrt(np.square(samples[spoken]).mean()), spoken


def ambiences(recordings: dict[str, Recording]) -> list[list[str]]:
    """Rows of the beds that are found under speech, against the known bed."""
    rows = []
    for name, recording in recordings.items():
        for above in SPEECH_DB:
            for pause in (1.5, 0.3):
                bed, rate = recording.samples, recording.sample_rate
                level = float(np.sqrt(np.square(bed).mean())) * 10 ** (above / 20)
                voice, spoken = speech(recording.length, rate, level, pause)
                mixed = Recording((bed + voice).astype(np.float32), rate)
                cells = [name, f"{above:g}", f"{1 - spoken.mean():.0%}"]
                try:
                    found, report = extract_ambience(mixed)
                except InputError:
                    rows.append([*cells, "refused", "", "", ""])
                    continue
                inside = np.zeros(recording.length, bool)
                for start, length in report.segments:
                    inside[start : start + length] = True
                leak = 10 * np.log10(np.square(voice[inside]).mean() / np.square(bed[:, inside]).mean() + 1e-9)
                difference = 10 * np.log10(np.square(found.samples).mean() / np.square(bed).mean())
                bands, own = (np.median(band_levels(each)[0], axis=0) for each in (found, recording))
                worst = float(np.abs(bands - own).max())
                rows.append([*cells, f"{report.fraction:.0%}", f"{leak:.0f}", f"{difference:+.1f}", f"{worst:.1f}"])
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def read_folders(folders: Iterable[Path]) -> dict[str, Recording]:
    """The recordings of folders, by ``folder/stem``."""
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]
    return {f"{path.parent.name}/{path.stem}": read(path) for path in paths}


def excerpt(recording: Recording) -> Recording:
    """The beginning of a recording, away from its ends."""
    trimmed = round(TRIMMED_SECONDS * recording.sample_rate)
    stop = min(recording.length - trimmed, trimmed + round(PROMPT_SECONDS * recording.sample_rate))
    return Recording(recording.samples[:, trimmed:stop], recording.sample_rate)


def steady(seconds: float = PROMPT_SECONDS) -> Recording:
    """Stationary noise that falls by 3 dB per octave above 3 kHz: any dip in a tail is the tail's own."""
    count = round(seconds * 44100)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal((2, count)))
    samples = np.fft.irfft(spectrum / np.sqrt(1 + (np.fft.rfftfreq(count, 1 / 44100) / 3000) ** 2), count)
    return Recording((0.1 * samples / samples.std()).astype(np.float32), 44100)


def named(name: str, parts: str) -> bool:
    """Whether a name contains one of several parts, separated by commas."""
    return any(part in name for part in parts.split(",") if part)


def page(
    recordings: dict[str, Recording],
    excerpts: dict[str, Recording],
    few: list[str],
    beds: list[str],
    seconds: float,
    command: str,
) -> str:
    """The page: what was done, and the four tables."""
    alarms = false_alarms(recordings)
    prompts = {"steady noise": (steady(), steady()), **{name: (excerpts[name], recordings[name]) for name in few}}
    lengths = [f"{kind} {length:g}" for kind in KINDS for length in LENGTHS]
    found = found_edges(excerpts)
    cells = [cell for row in found for cell in row[1:-2] if cell]
    missed = sum(cell.endswith("*") for cell in cells)
    return f"""# Edges and ambience

By `{command}`, of {len(recordings)} recordings.

## Untouched recordings in which an edge is found

{len(alarms)} of {len(recordings)}. Most of them do fade, or end in silence. A single sound that decays alike in all
bands, such as a boom, cannot be distinguished from a fade.

{table(["recording", "s", "start", "end"], alarms)}
## Known edges

Seconds that are found of fades at the end of {len(excerpts)} recordings of up to {PROMPT_SECONDS:g} s, of a second of
silence after a pause of a second in the middle, and a click 10 ms before the end. A star: more than {AUDIBLE_DB:g} dB
of the fade remain at the join ({missed} of {len(cells)}).

{table(["recording", *lengths, "silence 1", "click"], found)}
## Tails

Tails of {seconds:g} s by the base, of prompts with edges of all kinds; a pause inside a prompt is material. Join:
seconds of the prompt that are kept. Dips: tenths of a second that lie 6 dB below the tail's median, and lower than any
of the steady part between the edges does. First tenth: its level over that of the half second before the join, dB (with
`--keep-edges`: over the steady part's median); in brackets what the steady part's own tenths exceed once in twenty.
Level: over the steady part's, dB; in brackets how much the level of as long a segment of the recording (or a third of
it) differs from that of the segment before it: once in ten by more.

{table(["recording", "prompt", "join", "dips", "first tenth", "level"], tails(prompts, seconds))}
## Ambience

Synthetic speech over recordings: its level above the bed (dB), the part of the time without speech, the part that is
found as bed, speech that remains in that (dB relative to the bed), and the level and the worst band of 24 against the
known bed, dB. Calls of birds and waves that are not steady for half a second count as events; then the bed lacks them,
and the command says how far it lies below the rest.

{table(["bed", "speech", "free", "found", "leak", "level", "worst band"], ambiences({n: excerpts[n] for n in beds}))}"""


def main() -> None:
    """Find, render, measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--fades", default="/", help="parts of the names of recordings that get fades, by commas")
    parser.add_argument("--tails", default="", help="parts of the names of those that get tails")
    parser.add_argument("--beds", default="", help="parts of the names of those that get speech")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each tail")
    arguments = parser.parse_args()
    with warnings.catch_warnings(action="ignore"):
        recordings = read_folders(arguments.folders)
        excerpts = {name: excerpt(each) for name, each in recordings.items() if each.seconds >= MIN_SECONDS + 1}
        excerpts = {name: each for name, each in excerpts.items() if find_edges(each) == (NONE, NONE)}
        excerpts = {name: each for name, each in excerpts.items() if named(name, arguments.fades)}
        few, beds = ([name for name in excerpts if named(name, part)] for part in (arguments.tails, arguments.beds))
        command = " ".join(["python tools/check_edges.py", *sys.argv[1:]])
        write_text(arguments.output, page(recordings, excerpts, few, beds, arguments.seconds, command))


if __name__ == "__main__":
    main()
