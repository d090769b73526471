"""`audiogen info FILE|RUN`: what is in an audio or MIDI file, or what a Run is and what it scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command(cls=Command)
@click.argument("path", metavar="FILE|RUN", type=click.Path(path_type=Path))
def info(path: Path, as_json: bool) -> None:
    """Say what is in a FILE of audio (format, levels, defects) or MIDI, or show a RUN's settings and metrics."""
    import json

    from audiogen.data.datasets.folder import is_midi

    facts = _run_facts(path) if path.is_dir() else _tune_facts(path) if is_midi(path) else _file_facts(path)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    elif path.is_dir():
        click.echo((path / "config.yaml").read_text(encoding="utf-8").rstrip())
        _echo_aligned(_flat(facts["metrics"]))
    elif is_midi(path):
        _echo_aligned(_flat(facts))
    else:
        _echo_aligned(_readable(facts))


def _file_facts(path: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from audiogen import audio

    return {"path": str(path), **asdict(audio.info(path))}


def _tune_facts(path: Path) -> dict[str, Any]:
    """What a MIDI file holds, and the measures of its notes."""
    from audiogen.evaluation.symbolic import SCALARS, melodic
    from audiogen.representation.midi import read_midi

    tune = read_midi(path)
    measured = {name: round(measure(tune), 4) for name, measure in SCALARS.items()} if len(melodic(tune)) else {}
    return {
        "path": str(path),
        "notes": len(tune.notes),
        "parts": ", ".join(part.name or str(index) for index, part in enumerate(tune.parts)),
        "seconds": round(tune.seconds, 3),
        "bars": len(tune.bar_lines()),
        "tempo": round(6e7 / float(tune.tempos[0, 1]), 2),
        "meter": "{}/{}".format(*tune.meters[0, 1:].tolist()),
        **measured,
    }


def _run_facts(path: Path) -> dict[str, Any]:
    """``config.yaml`` and ``metrics.json`` of a Run; a Run in training has no metrics yet."""
    import json

    import yaml

    from audiogen.errors import InputError

    config, metrics = path / "config.yaml", path / "metrics.json"
    if not config.is_file():
        raise InputError(path, "it is a folder, but not a Run (no config.yaml)", "name an audio file or a Run")
    try:
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        scores = json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {}
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(path, f"its config.yaml or metrics.json is damaged ({error})", "train it again") from error
    return {"path": str(path), "config": settings, "metrics": scores}


def _readable(facts: dict[str, Any]) -> dict[str, str]:
    """The facts of a file with units."""

    def level(value: float | None, unit: str) -> str:
        return "-" if value is None else f"{value:.1f} {unit}"

    return {
        "path": facts["path"],
        "format": f"{facts['format']} {facts['subtype']}",
        "sample rate": f"{facts['sample_rate']} Hz",
        "channels": str(facts["channels"]),
        "duration": f"{facts['seconds']:.3f} s ({facts['length']} samples)",
        "peak": level(facts["peak_dbfs"], "dBFS"),
        "rms": level(facts["rms_dbfs"], "dBFS"),
        "loudness": level(facts["loudness_lufs"], "LUFS"),
        "dc": " ".join(f"{mean:+.5f}" for mean in facts["dc"]),
        "clipped": f"{facts['clipped']} samples",
        "over full scale": f"{facts['over_full_scale']} samples",
        "nan or infinite": f"{facts['nonfinite']} samples",
    }


def _flat(nest: Any, prefix: str = "") -> dict[str, str]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": "1"}``."""
    if not isinstance(nest, dict):
        return {prefix: str(nest)}
    flat: dict[str, str] = {}
    for key, value in nest.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _echo_aligned(lines: dict[str, str]) -> None:
    width = max((len(key) for key in lines), default=0) + 1
    for key, value in lines.items():
        click.echo(f"{key + ':':<{width}} {value}")
