"""Tables of docs/vocoders.md from measured rows."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from vocoder_requirements import requirements

COLUMNS = {
    "texture": "texture distance",
    "convergence": "MR-STFT convergence",
    "log_magnitude": "MR-STFT log magnitude (dB)",
    "tilt": "largest third-octave error (dB)",
    "tilt_resolved": "from 150 Hz",
    "crest": "crest ratio",
    "copied": "copied share",
    "stereo_own": "stereo correlation off by",
    "stereo": "in the known part's channels",
}
UNPAIRED = ("texture", "tilt", "tilt_resolved", "crest", "copied", "stereo")
INTRODUCTION = """# Vocoders

Written by `tools/benchmark_vocoders.py`; do not edit. The first three quarters of each recording are available to
the vocoder; the true frames of the last quarter are rendered and compared with the audio that they were computed
from. Frames that the base predicts for the last quarter follow further down.

- Texture distance: 1.0 is the distance of another real segment of the same recording; 0 is equal.
- "true magnitudes" is not a vocoder but a bound: the true magnitudes of all 1025 bins (a mel frame has 128 values)
  with 64 Griffin-Lim iterations. Its error lies in the phases.
- "griffin_lim, paired" uses `magnitude_weight=0.5 unconstrained_share=0 equalise=false inversion_iterations=6`,
  which improve the paired measures (MR-STFT) at the cost of texture and third octaves; "griffin_lim, 32" uses 32
  iterations on the whole spectrum and none on its lowest parts alone, instead of 20 after 16 on a quarter and 32 on
  a sixteenth.
- "neural" uses the weights that ship, which were not trained on these recordings.
- "librosa" is `mel_to_stft` and `griffinlim(n_iter=32)`.
- Third octaves from 50 Hz to 16 kHz, where the recording lies within 60 dB of its loudest one. Below 150 Hz they
  are narrower than the 31 Hz between mel bands: frames do not say how the power of a band is distributed over them.
- Crest ratio: energy of the loudest 2 ms of each 100 ms over its mean, relative to the original's; below 1,
  transients are smeared.
- Copied share: fraction of half seconds of the output that occur in the known part; in brackets, of the true audio
  itself.
- Stereo: rendered as by `audiogen vocode IN --source KNOWN`, with frames of IN's own principal channels, which are
  uncorrelated. "In the known part's channels", as in a continuation, the frames do not carry the correlation of the
  last quarter where it differs from that of the known part (birds); true magnitudes do not carry it either. More
  than half of the power of vinyl_hiss lies below 10 Hz, where there is no mel band: it is guessed. Segments that
  `source` reads bring their own correlation.
- Campfire's error lies above 11 kHz, where it is 40 dB fainter than below: the last quarter of its Ogg file has so
  many holes there that the same mel bands have 3 dB more power than in the known part. Only `source`, which reads
  such holes as well, matches that.
- Speeds are CPU seconds of one thread, medians; other work on the machine makes all of them slower.

Vocoders with published weights (`bigvgan`, `vocos`) are not measured here, since their weights do not ship.
"""

REPEATING = """The last quarter of these correlates at 0.8 or more with an earlier segment, sample by sample (median of
windows of 1 s), so another real segment is almost equal to it, and only a copy can be as close: """

PREDICTED = {
    "chosen": """\
What `audiogen continue` renders: patches of the known part, in an order that the base predicts. Nothing
is paired here, so there is no MR-STFT, and third octaves are those of another time: "earlier audio", the
end of the known part as recorded, is the value of real audio. "source, as in Runs" has 1 iteration instead of 4.
""",
    "drawn": """\
What the Model sampled before each of those patches was selected, decoded: smoother than any recording. No
command renders it; it shows how vocoders cope with frames that are far from real ones.
""",
}
SELECTION = {"chosen": "with unit selection", "drawn": "without unit selection"}
REFERENCES = ("source, as in Runs", "librosa", "earlier audio", "true magnitudes")
Row = dict[str, Any]


def page(rows: list[Row]) -> str:
    """The document."""
    predicted = [row for row in rows if row.get("frames", "true") != "true"]
    measured = [row for row in rows if "texture" in row and row not in predicted]
    count = len({row["recording"] for row in measured})
    fresh = [row for row in measured if not row["repeats"]]
    names = sorted({row["recording"] for row in measured if row["repeats"]})
    parts = [INTRODUCTION, summary(measured, f"All {count} recordings")]
    if fresh and names:
        parts.append(
            summary(fresh, "Without recordings that repeat earlier samples") + f"\n{REPEATING}{', '.join(names)}.\n"
        )
    for row in rows:
        if "speeds" in row:
            parts.append(requirements_table(measured, row["speeds"]))
    for kind, explained in PREDICTED.items():
        own = [row for row in predicted if row["frames"] == kind]
        if own:
            parts.append(summary(own, f"Predicted frames, {SELECTION[kind]}", UNPAIRED) + "\n" + explained)
    parts.append(by_recording(measured, "texture", "Texture distance"))
    parts.append(by_recording(measured, "convergence", "MR-STFT spectral convergence"))
    parts.append(by_recording(measured, "log_magnitude", "MR-STFT log magnitude (dB)"))
    for kind in PREDICTED:
        own = [row for row in predicted if row["frames"] == kind]
        parts.append(by_recording(own, "texture", f"Texture distance of predicted frames, {SELECTION[kind]}"))
    for row in rows:
        if "speeds" in row:
            parts.append(speed_tables(row["speeds"]))
    return "\n".join(parts)


def _table(header: list[str], body: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _kinds(rows: list[Row]) -> list[str]:
    """The project's vocoders first, references last."""
    found = dict.fromkeys(row["vocoder"] for row in rows)
    return sorted(found, key=lambda kind: (*REFERENCES, kind).index(kind) if kind in REFERENCES else -1)


def summary(rows: list[Row], title: str, columns: Sequence[str] = tuple(COLUMNS)) -> str:
    """Median / worst over recordings, one line per vocoder."""
    body = []
    for kind in _kinds(rows):
        own = [row for row in rows if row["vocoder"] == kind]
        cells = [_cell(name, [row[name] for row in own if name in row]) for name in columns]
        cells[list(columns).index("copied")] += f" ({max(row['copied_real'] for row in own):.2f})"
        body.append([kind, *cells])
    return f"## {title}: median / worst\n\n" + _table(["vocoder", *(COLUMNS[name] for name in columns)], body)


def requirements_table(rows: list[Row], speeds: dict[str, dict[str, float]]) -> str:
    """The requirements, and whether they are met."""
    lines = [[what, wanted, found, "yes" if met else "no"] for what, wanted, found, met in requirements(rows, speeds)]
    return "## Requirements and results\n\n" + _table(["", "requirement", "result", "met"], lines)


def _cell(name: str, values: list[float]) -> str:
    if not values:
        return "-"
    worst = max(values, key=lambda value: abs(value - 1)) if name == "crest" else max(values)
    return f"{median(values):.2f} / {worst:.2f}"


def by_recording(rows: list[Row], name: str, title: str) -> str:
    """One measure: a row per recording, a column per vocoder."""
    kinds = _kinds(rows)
    found = {(row["recording"], row["vocoder"]): row[name] for row in rows}
    names = dict.fromkeys(row["recording"] for row in rows)
    cells = [
        [name, *(f"{found[name, kind]:.2f}" if (name, kind) in found else "-" for kind in kinds)] for name in names
    ]
    return f"## {title}\n\n" + _table(["recording", *kinds], cells)


def speed_tables(parts: dict[str, dict[str, float]]) -> str:
    """Times of the parts as multiples of real time, and relative to each other."""
    rendering, lim, inversion = parts["rendering"], parts["griffin_lim"], parts["inversion"]
    lines = [[key.split(":")[0], f"{1 / value:.0f}"] for key, value in rendering.items()]
    text = "## Speed: mel frames to audio\n\n" + _table(["", "times real time"], lines)
    lines = [
        [key.split(":")[0], f"{1e3 * value:.2f}", f"{value / lim['audiogen: seconds']:.1f}", _after(lim, key)]
        for key, value in lim.items()
        if key.endswith("seconds")
    ]
    header = ["", "ms per second of audio", "relative", "spectral convergence after 16"]
    text += "\n## Speed: one Griffin-Lim iteration\n\n" + _table(header, lines)
    lines = [
        [
            key.split(":")[0],
            f"{1e3 * value:.1f}",
            f"{value / inversion['audiogen: seconds']:.0f}",
            f"{inversion[key.replace('seconds', 'mel error')]:.4f}",
            f"{inversion[key.replace('seconds', 'convergence')]:.3f}",
        ]
        for key, value in inversion.items()
        if key.endswith("seconds")
    ]
    header = ["", "ms per second of audio", "relative", "mel error", "convergence to the true magnitudes"]
    return text + "\n## Mel inversion (20 iterations)\n\n" + _table(header, lines)


def _after(figures: dict[str, float], key: str) -> str:
    value = figures.get(key.replace("seconds", "convergence"))
    return "-" if value is None else f"{value:.3f}"
