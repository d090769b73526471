"""An output and its sidecar: both are written, or neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogen.jobs import continue_tune as continuing_tunes
from audiogen.jobs.continue_tune import continue_tune
from audiogen.jobs.provenance import remove_output_on_failure
from audiogen.jobs.tune_request import TuneRequest
from audiogen.tunes.midi.writer import write_midi
from tests.tune_fixtures import wandering


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()])
def test_an_output_without_its_sidecar_is_removed(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "out.wav").write_bytes(b"sound")
    with pytest.raises(type(error)), remove_output_on_failure(tmp_path / "out.wav"):
        raise error
    assert not (tmp_path / "out.wav").exists()


def test_a_tune_whose_sidecar_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*ignored: object) -> None:
        raise OSError("the disk is full")

    write_midi(tmp_path / "in.mid", wandering(1, 20))
    monkeypatch.setattr(continuing_tunes, "write_text", full)
    wanted = [(tmp_path / "out.mid", TuneRequest(seconds=1, takes=1))]
    with pytest.raises(OSError, match="full"):
        list(continue_tune(tmp_path / "in.mid", wanted))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mid"]
