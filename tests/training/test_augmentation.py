"""Each augmentation does what its option says, and nothing at zero."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.experiment import Augmentation
from audiogen.training.mel.augmentation import augment, mix

OFF = Augmentation(0.0, 0.0, 0.0, 0.0)
BANDS, CHANNELS, TIME = 16, 2, 50


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def windows(batch: int = 400) -> Tensor:
    ramp = torch.arange(CHANNELS * BANDS).float()  # bands of unlike level
    return torch.randn(batch, TIME, CHANNELS * BANDS) + ramp


def only(**options: float) -> Augmentation:
    return Augmentation(**{"gain": 0.0, "tilt": 0.0, "frequency_mask": 0.0, "time_mask": 0.0} | options)


def test_zero_changes_nothing():
    given = windows()
    assert torch.equal(augment(given, OFF, BANDS), given)


@pytest.mark.usefixtures("torchaudio")
@pytest.mark.parametrize("options", [{"gain": 3.0}, {"tilt": 3.0}, {"frequency_mask": 0.5}, {"time_mask": 0.5}])
def test_the_input_is_not_modified(options: dict[str, float]):
    given = windows()
    copy = given.clone()
    changed = augment(given, only(**options), BANDS)
    assert torch.equal(given, copy)
    assert changed.shape == given.shape
    assert not torch.equal(changed, given)


def test_gain_shifts_each_window_as_a_whole_by_decibels():
    given = windows()
    shift = augment(given, only(gain=3.0), BANDS) - given
    assert (shift - shift[:, :1, :1]).abs().max() < 1e-5
    decibels = shift[:, 0, 0] * 20 / math.log(10)
    assert float(decibels.std()) == pytest.approx(3.0, rel=0.1)
    assert abs(float(decibels.mean())) < 0.5


def test_tilt_is_the_same_in_every_channel():
    given = windows()
    change = (augment(given, only(tilt=6.0), BANDS) - given).unflatten(-1, (CHANNELS, BANDS))
    assert (change[:, :, 0] - change[:, :, 1]).abs().max() < 1e-5
    assert change.mean(-1).abs().max() < 1e-4  # the level stays
    slopes = change[:, 0, 0].diff(dim=-1)
    assert (slopes - slopes[:, :1]).abs().max() < 1e-4
    whole = (change[:, 0, 0, -1] - change[:, 0, 0, 0]) * 20 / math.log(10)
    assert float(whole.std()) == pytest.approx(6.0, rel=0.1)


def masked(options: Augmentation) -> tuple[Tensor, Tensor]:
    """Where values were masked, ``[batch, channel, band, time]``, and the windows after it."""
    given = windows()
    changed = augment(given, options, BANDS)
    mean = given.mean(dim=1, keepdim=True)
    where = ((changed - mean).abs() < 1e-5) & ((changed - given).abs() > 1e-5)
    touched = (changed - given).abs() > 1e-4
    assert (where | ~touched).all()  # what changed became its band's mean
    return where.unflatten(-1, (CHANNELS, BANDS)).permute(0, 2, 3, 1), changed


@pytest.mark.usefixtures("torchaudio")
def test_a_frequency_mask_holds_adjacent_bands_at_their_means():
    where, _ = masked(only(frequency_mask=0.5))
    rows = where.float().mean(-1) > 0.9  # whole rows
    assert torch.equal(rows, where.any(-1))
    widths = rows.sum(-1)
    assert int(widths.max()) in (7, 8)  # at most half of 16 bands
    assert 3 < float(widths.float().mean()) < 5
    assert (rows.float().diff(dim=-1).abs().sum(-1) <= 2).all()  # one mask


@pytest.mark.usefixtures("torchaudio")
def test_a_time_mask_holds_adjacent_frames_at_the_mean():
    where, _ = masked(only(time_mask=0.4))
    columns = where.float().mean(2) > 0.9
    widths = columns.sum(-1)
    assert 17 <= int(widths.max()) <= 20
    assert 8 < float(widths.float().mean()) < 12
    assert (columns.float().diff(dim=-1).abs().sum(-1) <= 2).all()


@pytest.mark.usefixtures("torchaudio")
def test_each_window_has_its_own_augmentation():
    for options in (only(gain=3.0), only(tilt=3.0), only(time_mask=0.5)):
        given = windows(1).expand(2, -1, -1)
        changed = augment(given, options, BANDS)
        assert not torch.allclose(changed[0], changed[1])


def test_mixing_adds_power_and_keeps_the_centre_near_the_mean():
    given = torch.randn(400, TIME, BANDS) + 5 * torch.randn(400, 1, 1)
    centres = given.mean(1, keepdim=True)
    mixed, moved = mix(given, centres, 0.5)
    changed = (mixed != given).flatten(1).any(1)
    assert 0.4 < float(changed.float().mean()) < 0.6
    assert bool((mixed >= given - 1e-6).all())  # nothing is taken away
    assert torch.equal(moved[~changed], centres[~changed])
    assert (mixed.mean(1, keepdim=True) - moved)[changed].abs().mean() < 0.5
    other = given.roll(1, 0)
    power = (2 * mixed).exp() - (2 * given).exp()
    ratio = (power / (2 * other).exp())[changed]
    assert (ratio / ratio[:, :1, :1] - 1).abs().median() < 1e-2  # the other window as a whole, at one level


def test_without_mixing_nothing_changes():
    given = windows(4)
    assert mix(given, given[:, :1], 0.0)[0] is given


def test_masks_say_what_is_wrong_where_torchaudio_does_not_load(monkeypatch: pytest.MonkeyPatch):
    def broken(name: str):
        raise OSError("undefined symbol: torch_exception")

    monkeypatch.setattr("audiogen.training.mel.augmentation.importlib.import_module", broken)
    with pytest.raises(InputError, match=r"does not load with torch .*undefined symbol.*time_mask=0"):
        augment(windows(2), only(time_mask=0.5), BANDS)
