"""The README's picture: spectrogram and waveform, with the join marked."""

from pathlib import Path

from tests.metrics.signals import RATE, noise, recording
from tools.make_readme_picture import draw_continuation


def test_the_readme_picture(tmp_path: Path) -> None:
    from matplotlib.image import imread

    draw_continuation(tmp_path / "picture.png", recording(noise(3, 1)), RATE)
    picture = imread(tmp_path / "picture.png")
    assert picture.shape[0] > 400
    assert picture[..., :3].std() > 0.1
