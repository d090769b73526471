"""Requirements of the vocoders and the measured results."""

from __future__ import annotations

from statistics import median
from typing import Any

Row = dict[str, Any]
TEXTURE = {"source": (0.25, 0.9), "neural": (0.3, 0.9), "griffin_lim": (0.35, 1.2)}  # median, worst
NEURAL = ("neural", "griffin_lim, 32")


def requirements(rows: list[Row], speeds: dict[str, dict[str, float]]) -> list[tuple[str, str, str, bool]]:
    """Requirement, limit, result and whether it is met, from measured rows and the speeds of the parts."""
    found = {(row["vocoder"], row["recording"]): row for row in rows}
    fresh = [row for row in rows if not row["repeats"]]
    lines = []
    for kind, limits in TEXTURE.items():
        for note, pool in (("all", rows), ("not repeating", fresh)):
            values = [row["texture"] for row in pool if row["vocoder"] == kind]
            is_met = median(values) <= limits[0] and max(values) <= limits[1]
            lines.append(
                (f"{kind}: texture distance, {note}", _pair(*limits), _pair(median(values), max(values)), is_met)
            )
    for kind in TEXTURE:
        for key, note in (("tilt", "50 Hz"), ("tilt_resolved", "150 Hz")):
            values = [row[key] for row in rows if row["vocoder"] == kind]
            what = f"{kind}: worst third octave from {note} (dB)"
            lines.append((what, "0.5 everywhere", _pair(median(values), max(values)), max(values) <= 0.5))
    for kind in (*TEXTURE, "griffin_lim, paired"):
        own = [row for row in rows if row["vocoder"] == kind]
        counts = [
            sum(row[key] <= found["librosa", row["recording"]][key] for row in own)
            for key in ("convergence", "log_magnitude")
        ]
        what = f"{kind}: no worse than librosa on MR-STFT convergence, log magnitude (recordings)"
        lines.append((what, f"{len(own)}, {len(own)}", f"{counts[0]}, {counts[1]}", min(counts) == len(own)))
        values = [row["stereo_own"] for row in own if "stereo_own" in row]
        if values:
            lines.append((f"{kind}: stereo correlation off by", "0.05", f"{max(values):.2f}", max(values) <= 0.05))
    return [*lines, *_neural(found), *_speeds(speeds)]


def _neural(found: dict[tuple[str, str], Row]) -> list[tuple[str, str, str, bool]]:
    """Comparison with an algorithm without training that is half as fast."""
    lines = []
    for key, what in (("convergence", "MR-STFT convergence"), ("log_magnitude", "MR-STFT log magnitude (dB)")):
        own, other = ([row[key] for (kind, _), row in found.items() if kind == name] for name in NEURAL)
        count = sum(one < two for one, two in zip(own, other, strict=True))
        note = f"neural against griffin_lim, 32: {what}, medians (closer on recordings)"
        arguments, result = f"< {median(other):.3f}", f"{median(own):.3f} ({count} of {len(own)})"
        lines.append((note, arguments, result, median(own) < median(other)))
    return lines


def _speeds(parts: dict[str, dict[str, float]]) -> list[tuple[str, str, str, bool]]:
    whole, lim, inversion = parts["rendering"], parts["griffin_lim"], parts["inversion"]
    ratios = [
        ("source, the default with a recording: times real time", 40.0, 1 / whole["source: seconds"]),
        ("griffin_lim against librosa, mel to audio", 7.0, whole["librosa: seconds"] / whole["griffin_lim: seconds"]),
        ("neural against griffin_lim, 32", 2.0, whole["griffin_lim, 32: seconds"] / whole["neural: seconds"]),
        ("a Griffin-Lim iteration against librosa's", 3.0, lim["librosa: seconds"] / lim["audiogen: seconds"]),
        ("a Griffin-Lim iteration against torchaudio's", 2.3, lim["torchaudio: seconds"] / lim["audiogen: seconds"]),
        ("mel inversion against librosa's", 60.0, inversion["librosa: seconds"] / inversion["audiogen: seconds"]),
    ]
    lines = [(what, f">= {arguments:g}", f"{found:.1f}", found >= arguments) for what, arguments, found in ratios]
    beside = lim["audiogen: seconds"] / lim["its FFTs alone: seconds"]
    return [*lines, ("a Griffin-Lim iteration against its FFTs", "<= 2", f"{beside:.1f}", beside <= 2)]


def _pair(first: float, second: float) -> str:
    return f"{first:.2f} / {second:.2f}"
