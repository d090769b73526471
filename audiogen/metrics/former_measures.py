"""Names of measures in sidecars of earlier versions, and their current names."""

from __future__ import annotations

from typing import Any

FORMER_MEASURES = {
    "share": "fraction",
    "prompt_share": "prompt_fraction",
    "held_out_share": "held_out_fraction",
    "silent_share": "silent_fraction",
    "still_share": "still_fraction",
    "stretch_seconds": "segment_seconds",
    "imposed_rms_db": "texture_gain_rms_db",
    "held_back_seconds": "held_out_seconds",
}
"""Former key -> current key, in whatever part of a sidecar it stands."""


def with_current_names(tree: Any) -> Any:
    """The content of a sidecar, or a part of it, with the current names of its measures."""
    if isinstance(tree, dict):
        return {FORMER_MEASURES.get(key, key): with_current_names(value) for key, value in tree.items()}
    return [with_current_names(value) for value in tree] if isinstance(tree, list) else tree
