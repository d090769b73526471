"""`audiogen info`: describe an audio file, a MIDI file or a Run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audiogen.cli.command import Command, print_output, set_json_result
from audiogen.cli.file_arguments import expanded, from_stdin
from audiogen.file_names import is_midi
from audiogen.progress import stage, verbosity


@click.command(cls=Command, examples=("audiogen info *.wav", "audiogen info runs/rain --json"))
@click.argument("paths", metavar="FILE|RUN...", type=click.Path(path_type=Path), nargs=-1, required=True)
def info(paths: tuple[Path, ...]) -> None:
    """Describe an audio FILE (format, levels, defects, metadata), a MIDI FILE (notes, bars, measures), or a RUN.

    With --verbose or --json, the whole configuration and all metrics of a Run are printed. Of several, --json
    prints a list under "described". FILE may be -: stdin.
    """
    found = []
    for number, path in enumerate(expanded(paths)):
        if number:
            print_output("")
        found.append(_describe(path))
    set_json_result(found[0] if len(found) == 1 else {"described": found})


def _describe(path: Path) -> dict[str, Any]:
    """Print what is known of one, and return it."""
    with from_stdin(path) as file:
        with stage(f"reading {path.name}"):
            facts = _run_facts(file) if file.is_dir() else _tune_facts(file) if is_midi(file) else _file_facts(file)
        facts["path"] = str(path)
        if not file.is_dir():
            _show_aligned(_flat(facts) if is_midi(file) else _readable(facts))
        elif verbosity.verbose:
            print_output((file / "config.yaml").read_text(encoding="utf-8").rstrip())
            _show_aligned(_flat(facts["metrics"]))
        else:
            _show_aligned(_summary(file, facts["config"], facts["metrics"]))
    return facts


def _file_facts(path: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from audiogen import audio

    return {"path": str(path), **asdict(audio.info(path)), "metadata": audio.read_metadata(path).as_json()}


def _tune_facts(path: Path) -> dict[str, Any]:
    """Contents of a MIDI file, and the measures of its notes."""
    from audiogen.tunes.metrics.tune_statistics import SCALARS
    from audiogen.tunes.midi.reader import read_midi

    tune = read_midi(path)
    names = [part.name for part in tune.parts]
    measured = {name: round(measure(tune), 4) for name, measure in SCALARS.items()} if len(tune.melodic_notes) else {}
    return {
        "path": str(path),
        "notes": len(tune.notes),
        "parts": len(tune.parts),
        **({"part_names": ", ".join(name or "-" for name in names)} if any(names) else {}),
        "seconds": round(tune.seconds, 3),
        "bars": len(tune.bar_lines()),
        "tempo": round(6e7 / float(tune.tempos[0, 1]), 2),
        "meter": "{}/{}".format(*tune.meters[0, 1:].tolist()),
        **measured,
    }


def _run_facts(path: Path) -> dict[str, Any]:
    """``config.yaml`` and ``metrics.json`` of a Run; without metrics while it is still training."""
    import json

    from audiogen.config.yaml_files import MAX_BYTES, load_yaml, read_bounded
    from audiogen.errors import InputError

    config, metrics = path / "config.yaml", path / "metrics.json"
    if not config.is_file():
        raise InputError(path, "it is a folder, but not a Run (no config.yaml)", "name a file or a Run")
    try:
        settings = load_yaml(read_bounded(config, MAX_BYTES, "train it again").decode("utf-8"))
        scores = json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {}
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"its config.yaml or metrics.json is damaged ({error})", "train it again") from error
    return {"path": str(path), "config": settings, "metrics": scores}


def _summary(path: Path, config: dict[str, Any], metrics: dict[str, Any]) -> dict[str, str]:
    """A Run in a few lines; values that an older Run does not record are left out."""
    vocoder, training = config.get("vocoder", {}), config.get("training", {})
    lines = {"run": str(path), "model": _model_of(config), "frames": _frames_of(config.get("representation", {}))}
    if training.get("task") == "vocoder":
        lines["model"] = f"vocoder {vocoder.get('kind')}"
    elif vocoder and "midi" not in str(config.get("representation", {}).get("kind")):
        lines["vocoder"] = str(vocoder.get("kind"))
        if config.get("predictor") == "contexts":
            lines["predicts by"] = "the contexts of the recording that is continued"
    if not metrics:
        return lines | {"training": "not finished: no metrics yet", "size on disk": _size_of(path)}
    steps, wanted = metrics.get("steps"), training.get("steps")
    validation, train = (_number(metrics.get(name)) for name in ("validation_loss", "train_loss"))
    stopped = {"steps": "the last step", "budget": "the time limit", "early stopping": "early stopping"}
    ended = str(metrics.get("stopped_by", ""))
    lines |= {
        "parameters": f"{metrics['parameters']:,}" if "parameters" in metrics else "",
        "trained on": _trained_on(metrics.get("split", {})),
        "training": "in closed form" if ended == "closed form" else f"{steps} of {wanted} steps" if steps else "",
        "ended by": stopped.get(ended, ""),
        "time taken": f"{metrics['seconds']:.1f} s on {metrics.get('device', 'cpu')}" if metrics.get("seconds") else "",
        "best validation": f"{validation} at step {metrics.get('best_step')}" if validation else "",
        "last training loss": train,
        "version": str(metrics.get("version", "")),
        "size on disk": _size_of(path),
    }
    for split, values in metrics.get("held_out", {}).items():
        lines[f"{split} tunes"] = f"{values['tunes']}, {values['nats_per_note']} nats per note"
    return {name: text for name, text in lines.items() if text}


def _model_of(config: dict[str, Any]) -> str:
    model = config.get("model", {})
    parts = [(name, model[name]) for name in ("backbone", "head") if isinstance(model.get(name), dict)]
    inner = ", ".join(f"{name} {choice.get('kind')}" for name, choice in parts)
    return f"{model.get('kind', 'sequence')}" + (f": {inner}" if inner else "")


def _frames_of(representation: dict[str, Any]) -> str:
    if representation.get("kind") != "mel":
        scheme = representation.get("scheme")
        name = scheme.get("kind") if isinstance(scheme, dict) else scheme
        return f"{representation.get('kind', '')} {name or ''}".strip()
    spec = representation.get("spec", {})
    rate, hop = spec.get("sample_rate"), spec.get("hop")
    parts = ["mel"]
    if rate and hop:
        parts += [f"{rate} Hz", f"{spec.get('n_mels')} bands", f"{rate / hop:.1f} frames per second"]
    names = ("patch", "latents", "channels")
    return ", ".join([*parts, *(f"{name} {representation[name]}" for name in names if representation.get(name))])


def _trained_on(split: dict[str, str]) -> str:
    """Recordings per split; of a single recording, the seconds of each split."""
    if split.keys() <= {"train", "validation", "test"}:
        return "one recording or tune: " + ", ".join(f"{name} {text}" for name, text in split.items()) if split else ""
    counts = {name: list(split.values()).count(name) for name in ("train", "validation", "test")}
    return ", ".join(f"{count} {name}" for name, count in counts.items()) + " recordings or tunes"


def _size_of(path: Path) -> str:
    return f"{sum(file.stat().st_size for file in path.rglob('*') if file.is_file()) / 1e6:.1f} MB"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else ""


def _readable(facts: dict[str, Any]) -> dict[str, str]:
    """The facts of an audio file with units."""

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
        **_readable_metadata(facts["metadata"], facts["sample_rate"]),
    }


def _readable_metadata(found: dict[str, Any], rate: int) -> dict[str, str]:
    """What a file holds besides samples, with positions in seconds."""
    lines = {}
    if "time_reference" in found:
        seconds = found["time_reference"] / rate
        lines["time stamp"] = f"{int(seconds // 3600):02}:{int(seconds // 60 % 60):02}:{seconds % 60:06.3f}"
    if "markers" in found:
        each = [f"{marker['sample'] / rate:.3f} s {marker['label']}".strip() for marker in found["markers"]]
        lines["markers"] = ", ".join(each)
    if "loops" in found:
        lines["loops"] = ", ".join(f"samples {first} to {last}" for first, last in found["loops"])
    lines |= {name: " ".join(text.split()) for name, text in found.get("tags", {}).items()}
    if others := [*found.get("chunks", []), *found.get("not_understood", [])]:
        lines["other chunks"] = ", ".join(others)
    return lines


def _flat(nest: Any, prefix: str = "") -> dict[str, str]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": "1"}``."""
    if not isinstance(nest, dict):
        return {prefix: str(nest)}
    flat: dict[str, str] = {}
    for key, value in nest.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _show_aligned(lines: dict[str, str]) -> None:
    width = max((len(key) for key in lines), default=0) + 1
    for key, value in lines.items():
        print_output(f"{key + ':':<{width}} {value}")
