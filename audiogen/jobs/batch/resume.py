"""Resuming a batch: whether the clip on disk is the one that its row describes."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from audiogen.audio import AudioWarning, open_blocks
from audiogen.errors import InputError
from audiogen.jobs.batch.clips import Clip, file_digest
from audiogen.output_names import sidecar_of


def mismatch(clip: Clip, out: Path, record: dict[str, Any]) -> str | None:
    """Compare a clip with its file and sidecar.

    Args:
        clip: the clip.
        out: its audio file.
        record: of the earlier results; may be empty.

    Returns:
        Why the file must be rendered again; None if it is complete and current.
    """
    try:
        sidecar = json.loads(sidecar_of(out).read_text("utf-8"))
        facts = tuple(sidecar[key] for key in ("sample_rate", "channels", "length"))
        settings = {**sidecar["settings"], "seed": sidecar["seed"]}
    except OSError:
        return "its sidecar is missing"
    except (ValueError, KeyError, TypeError):
        return "its sidecar is damaged"
    if any(settings.get(key, ...) != value for key, value in asdict(clip.request).items()):
        return "its settings have changed"
    if record.get("request", clip.digest) != clip.digest:
        return "its prompt, Run or settings have changed"
    try:
        return _mismatch_of_audio(out, facts, record.get("sha256"))
    except InputError as error:
        return error.cause
    except Exception as error:  # a decoder's own
        return f"it cannot be read ({type(error).__name__})"


def _mismatch_of_audio(out: Path, facts: tuple[int, int, int], digest: str | None) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        with open_blocks(out) as blocks:
            length = sum(block.shape[1] for block in blocks)
    if (blocks.sample_rate, blocks.channels, length) != facts:
        return "its sample rate, channels or length differ from its sidecar"
    if digest is not None and file_digest(out) != digest:
        return "its content has changed"
    return None
