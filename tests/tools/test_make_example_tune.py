"""The tune that ships is the one that its script writes."""

from pathlib import Path

from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from tools.make_example_tune import melody

SHIPPED = Path(__file__).parents[2] / "data" / "tune.mid"


def test_the_shipped_tune(tmp_path: Path) -> None:
    write_midi(tmp_path / "tune.mid", melody())
    assert (tmp_path / "tune.mid").read_bytes() == SHIPPED.read_bytes()
    tune = read_midi(SHIPPED)
    assert len(tune.bar_lines()) == 32
    assert tune.meters[0, 1:].tolist() == [6, 8]
    assert len(tune.melodic_notes) == len(tune.notes) == 138
