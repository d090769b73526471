"""tools/check_files.py: what its measures find, and what its page says of them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("wavinfo", reason="wavinfo, which reads loop points, is not installed")
from audiogen.audio import Recording
from audiogen.dsp.decorrelation import decorrelated
from audiogen.metrics.copying import RepetitionDetector
from tools import check_files, file_figures, set_figures

RATE = 22050


def noise(seconds: float, seed: int = 0, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))).astype(np.float32)


def hum(seconds: float, phase: float = 0.0) -> np.ndarray:
    clock = np.arange(round(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * np.array([[110.0], [220.0]]) * clock + phase).astype(np.float32)


def test_what_goes_on_is_a_usual_seam_and_a_step_is_not() -> None:
    samples = noise(6)
    seams = file_figures.Seams(Recording(samples, RATE))
    flux, bend = seams.at(samples[:, : 3 * RATE], samples[:, 3 * RATE :])
    assert 0 < flux < 99.9
    assert 0 < bend < 99.9
    assert seams.at(samples[:, : 3 * RATE], 4 * samples[:, 3 * RATE :])[0] > 99.9
    click = samples.copy()
    click[1, 3 * RATE] = 1.0
    assert seams.at(click[:, : 3 * RATE], click[:, 3 * RATE :])[1] > 99.9
    assert seams.within(samples[:, RATE : 2 * RATE]) < 99.9
    assert seams.within(np.concatenate([samples[:, :RATE], 4 * samples[:, :RATE]], axis=1)) == 100


def test_a_tone_out_of_phase_bends() -> None:
    seams = file_figures.Seams(Recording(hum(4), RATE))
    assert seams.at(hum(1), hum(1))[1] < 99.9
    assert seams.at(hum(1), hum(1, 1.0))[1] > 99.9


def test_ambisonics_have_the_gains_of_their_definition() -> None:
    azimuth, elevation = 0.7, -0.3
    flat = np.cos(elevation)
    first = [1, np.sin(azimuth) * flat, np.sin(elevation), np.cos(azimuth) * flat]  # W, Y, Z, X in SN3D
    gains = file_figures.ambisonics(3)(azimuth, elevation)
    assert len(gains) == 16
    np.testing.assert_allclose(gains[:4], first, atol=1e-12)
    np.testing.assert_allclose(gains[6], (3 * np.sin(elevation) ** 2 - 1) / 2, atol=1e-12)  # R
    np.testing.assert_allclose(gains[4], np.sqrt(3) / 2 * np.sin(2 * azimuth) * flat**2, atol=1e-12)  # V


def test_spatial_covariances_of_the_same_are_equal_and_a_turn_is_seen() -> None:
    recording, other = (Recording(noise(3, seed)[:1], RATE) for seed in (1, 2))
    for name, gains in file_figures.LAYOUTS.items():
        made = file_figures.scene(recording, other, gains)
        own = file_figures.covariances(made.samples, RATE)
        assert file_figures.differences(own, own) == [0.0] * 8
        turned = file_figures.covariances(made.samples[::-1], RATE)
        assert file_figures.differences(turned, own)[0] > 1, name
        assert [not channel.any() for channel in made.samples] == [
            name.startswith("5.1") and k == 3 for k in range(made.channels)
        ]


def test_pairs_of_segments_do_not_overlap_and_a_copy_is_found() -> None:
    clip = Recording(noise(12), RATE)
    for first, second in set_figures.segment_pairs(clip, 20):
        assert first.length == second.length == 5 * RATE
        assert set_figures.alike([(first, second)]) < 0.2
    copied = noise(5, 3)
    copied[:, RATE : 2 * RATE] = clip.samples[:, 4 * RATE : 5 * RATE]
    assert set_figures.alike([(Recording(copied, RATE), clip.cut(2 * RATE, 7 * RATE))]) > 0.99
    assert set_figures.repeated(RepetitionDetector(clip), Recording(copied, RATE), clip.cut(2 * RATE, 7 * RATE)) > 0


def test_envelopes_do_not_depend_on_phases() -> None:
    swell = 1 + 0.8 * np.sin(2 * np.pi * np.array([1.7, 2.9]) * np.arange(4 * RATE)[:, None] / RATE).prod(1)
    sound = Recording(noise(4) * swell.astype(np.float32), RATE)
    phases = Recording(decorrelated(sound.samples, RATE, 1), RATE)
    assert set_figures.alike([(sound, phases)]) < 0.4
    assert set_figures.envelopes_alike([(sound, phases)]) > 0.8
    assert set_figures.envelopes_alike([(sound, set_figures.reordered(sound))]) > 0.9
    others = [Recording(noise(4, seed), RATE) for seed in (1, 2, 3)]
    assert set_figures.envelopes_alike([(others[0], others[1])]) < 0.6
    assert set_figures.envelopes_alike([(others[0], others[1]), (sound, sound)]) > 0.99  # the nearest pair counts


def test_correlations_of_waveforms_are_those_of_their_definition() -> None:
    first, second = (Recording(noise(seconds, seed), RATE) for seconds, seed in ((1.2, 1), (0.9, 2)))
    one, other = (each.samples.mean(0).astype(np.float64) for each in (first, second))
    size = RATE // 2
    places = np.lib.stride_tricks.sliding_window_view(other, size)
    highest = 0.0
    for window in (one[:size], one[size : 2 * size]):
        products = places @ window / (np.linalg.norm(places, axis=1) * np.linalg.norm(window))
        highest = max(highest, np.abs(products).max())
    assert set_figures.alike([(first, second)]) == pytest.approx(highest, abs=1e-9)


def test_rows_are_measured_once_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, rows = tmp_path / "clip.wav", tmp_path / "rows.jsonl"
    soundfile.write(clip, noise(9).T, RATE)
    assert check_files.recordings([tmp_path]) == [clip]
    made = check_files.measured([clip], ["cuts"], rows, 1)
    assert len(made["cuts"]) == 2 * file_figures.CUTS
    assert "by 1 processes" in capsys.readouterr().err
    assert check_files.measured([clip], ["cuts"], rows, 1) == made
    assert len(rows.read_text().splitlines()) == 1
    (subject,) = check_files.subjects("cuts", [clip])
    assert pickle.loads(pickle.dumps(subject.measure)).__self__ == subject  # for other processes
    scenes = list(check_files.subjects("channels", [clip, clip]))
    assert [(scene.layout, scene.paths) for scene in scenes] == [
        ("AmbiX, order 1", (clip, clip)),
        ("AmbiX, order 3", (clip, clip)),
    ]


def test_the_page_says_how_sets_compare_with_real_segments() -> None:
    usual = {"nearest": 0.0, "real nearest": 0.1, "loudness": 0.0, "distinct": True, "control": 0.5}
    for measure in ("envelopes", "waveform"):
        usual |= {measure: 0.4, f"real {measure}": 0.5, f"control {measure}": 1.0}
    for measure in check_files.DISTANCES:
        usual |= {measure: 0.9, f"first {measure}": 0.8}
    near = usual | {"waveform": 0.7, "nearest": 0.2, "distinct": False}
    page = " ".join(check_files.sets_section([usual | {"name": "a"}, near | {"name": "b"}]).split())
    assert "no more than in the nearest real pair on 1 of 2 recordings" in page
    assert "no larger than that of real segments by more than 0.01 on 2" in page
    assert "on 1, and within 0.1 on 1" in page
    assert "| b (beats) | 20%, 10% | 0.40, 0.50 | 0.70, 0.50 |" in page


def test_the_page_counts_what_lies_below_the_99th_percentile() -> None:
    row = {"name": "a", "loop": "3 s", "points": True, "flux": 98.0, "bend": 99.5, "fade": 1.0}
    cuts = [{"kind": "cut", "flux": 98.0, "bend": 99.5}, {"kind": "zero", "flux": 99.2, "bend": 99.5}]
    rows = {"gaps": [], "earlier": [], "loops": [row], "cuts": cuts, "sets": [], "channels": []}
    page = check_files.page(rows, ["a"])
    assert "Below the 99th percentile: 1 of 1, 0 of 1 and 1 of 1" in " ".join(page.split())
    assert "1 of 1 are below that percentile by flux and 0 of 1 by second difference" in " ".join(page.split())
    assert "| a | 98, 100, 1 |" in page
    assert "## Sets" not in page
