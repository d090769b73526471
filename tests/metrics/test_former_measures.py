"""Sidecars of earlier versions are read with the current names of their measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from audiogen.api.results import Continuation
from audiogen.metrics.former_measures import FORMER_MEASURES, with_current_names


def test_a_former_sidecar_is_read(tmp_path: Path) -> None:
    content: dict[str, Any] = dict.fromkeys(("sample_rate", "channels", "join_sample", "length", "seed"), 1)
    content |= {"settings": {}, "warnings": [], "drift_guard": {"imposed_rms_db": 1.5}}
    content["measures"] = {"copying": {"share": 0.25}, "looping": {"share": 0.5}, "drift": {"silent_share": 0.1}}
    (tmp_path / "old.json").write_text(json.dumps(content))
    opened = Continuation.open(tmp_path / "old.wav")
    assert (opened.copied, opened.looped) == (0.25, 0.5)
    assert opened.measures["drift"] == {"silent_fraction": 0.1}
    assert opened.as_dict()["drift_guard"] == {"texture_gain_rms_db": 1.5}


def test_current_names_stay() -> None:
    assert not FORMER_MEASURES.keys() & set(FORMER_MEASURES.values())
    tree = {"fraction": [{"share": 1}, 2], "other": None}
    assert with_current_names(tree) == {"fraction": [{"fraction": 1}, 2], "other": None}
