"""What newcomers pass by mistake: each call answers with one InputError that names the argument."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audiogen
from audiogen import InputError, Recording
from audiogen.api.tail_blocks import of_type

RATE = 22050
SOUND = (0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
RECORDING = Recording(SOUND, RATE)


def continued(**changes: Any) -> Any:
    return audiogen.continue_audio(SOUND, RATE, **{"seconds": 0.2, **changes})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("morph", SOUND),
        ("morph", 5),
        ("run", 5),
        ("config", 5),
        ("config", {}),
        ("budget", "a minute"),
        ("budget", math.nan),
        ("budget", -1),
        ("device", "tpu"),
        ("device", 0),
        ("vocoder", "griffin"),
        ("pulse", "no"),
        ("pulse", None),
        ("pulse", SOUND),
        ("vocoder", ["source"]),
        ("vocoder", 5),
        ("loop", "yes"),
        ("backward", "no"),
        ("cache", "no"),
        ("progress", 5),
        ("seed", 1.0),
    ],
)
def test_a_wrong_value_is_one_error_that_names_the_argument(argument: str, value: object) -> None:
    with pytest.raises(InputError, match=f"^{argument}"):
        continued(**{argument: value})


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("after", lambda: audiogen.fill(SOUND, RATE, SOUND[None], seconds=0.5)),
        ("samples", lambda: audiogen.fill(SOUND, RATE, list(SOUND), seconds=0.5)),  # type: ignore[type-var]
        ("stop", lambda: audiogen.fill(SOUND, RATE, start=0.5, stop=math.nan)),
        ("seconds", lambda: audiogen.fill(SOUND, RATE, SOUND, seconds=math.inf)),
        ("gap_only", lambda: audiogen.fill(SOUND, RATE, SOUND, seconds=0.5, gap_only="no")),  # type: ignore[arg-type]
        ("resume", lambda: audiogen.train("mel/lstm-point", RECORDING, "run", resume="no")),  # type: ignore[arg-type]
        ("cache", lambda: audiogen.choose_run(RECORDING, cache="no")),  # type: ignore[arg-type]
        ("loop_lengths", lambda: audiogen.loops(SOUND, RATE, ())),
        ("loop_lengths", lambda: audiogen.loops(SOUND, RATE, 10)),  # type: ignore[arg-type]
        ("loop_lengths", lambda: audiogen.loops(SOUND, RATE, "10")),  # type: ignore[arg-type]
        ("loop_lengths", lambda: audiogen.loops(SOUND, RATE, np.array(10.0))),  # type: ignore[arg-type]
        ("prompt", lambda: audiogen.continue_recording(SOUND, "out.wav")),  # type: ignore[arg-type]
        ("output", lambda: audiogen.continue_recording(RECORDING, None)),  # type: ignore[arg-type]
        ("tail", lambda: audiogen.evaluate(SOUND, RECORDING)),  # type: ignore[arg-type]
        ("reference", lambda: audiogen.evaluate(RECORDING, None)),  # type: ignore[arg-type]
        ("run", lambda: audiogen.evaluate(RECORDING, RECORDING, run=5)),  # type: ignore[arg-type]
        ("join_sample", lambda: audiogen.evaluate(RECORDING, RECORDING, join_sample=-1)),
        ("join_sample", lambda: audiogen.evaluate(RECORDING, RECORDING, join_sample=1.5)),  # type: ignore[arg-type]
        ("seed", lambda: audiogen.evaluate(RECORDING, RECORDING, seed=-1)),
        ("seed", lambda: audiogen.vocode(RECORDING, seed="a")),  # type: ignore[arg-type]
        ("vocoder", lambda: audiogen.vocode(RECORDING, vocoder=["source"])),  # type: ignore[arg-type]
        ("source", lambda: audiogen.vocode(RECORDING, source=SOUND)),  # type: ignore[arg-type]
        ("data", lambda: audiogen.train("mel/lstm-point", SOUND)),  # type: ignore[arg-type]
        ("config", lambda: audiogen.train(None, RECORDING)),  # type: ignore[arg-type]
        ("base", lambda: audiogen.train("mel/lstm-point", RECORDING, base=5)),  # type: ignore[arg-type]
        ("budget", lambda: audiogen.train("mel/lstm-point", RECORDING, budget=math.nan)),
        ("overrides", lambda: audiogen.read_experiment("mel/lstm-point", "training.steps=2")),
        ("5", lambda: audiogen.read_experiment("mel/lstm-point", [5])),  # type: ignore[list-item]
        ("path", lambda: audiogen.read(SOUND)),  # type: ignore[arg-type]
        ("path", lambda: audiogen.write(None, RECORDING)),  # type: ignore[arg-type]
        ("recording", lambda: audiogen.write("out.wav", SOUND)),  # type: ignore[arg-type]
        ("run", lambda: audiogen.Run.open(5)),  # type: ignore[arg-type]
        ("runs", lambda: audiogen.RunMixture(())),
        ("recording", lambda: audiogen.choose_run(5)),  # type: ignore[arg-type]
        ("path", lambda: audiogen.read_midi(5)),  # type: ignore[arg-type]
        ("tune", lambda: audiogen.write_midi("out.mid", RECORDING)),  # type: ignore[arg-type]
        ("prompt", lambda: audiogen.continue_tune(None)),  # type: ignore[arg-type]
        ("bars", lambda: audiogen.continue_tune("tune.mid", bars=1.5)),  # type: ignore[arg-type]
        ("device", lambda: audiogen.continue_tune("tune.mid", device="gpu")),
        ("device", lambda: audiogen.fill(SOUND, RATE, start=0.5, stop=1.0, device="gpu")),
        ("rewards", lambda: audiogen.continue_tune("tune.mid", rewards=5)),  # type: ignore[arg-type]
        ("--simulations", lambda: audiogen.continue_tune("tune.mid", simulations="a")),  # type: ignore[arg-type]
    ],
)
def test_so_do_the_other_calls(
    name: str, call: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^{name}"):
        call()
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
@pytest.mark.parametrize("layout", ["sparse", "sparse rows", "meta"])
def test_a_tensor_without_dense_samples(layout: str) -> None:
    tensor = torch.from_numpy(SOUND)[None]
    made = {"sparse": tensor.to_sparse, "sparse rows": tensor.to_sparse_csr, "meta": lambda: tensor.to("meta")}
    with pytest.raises(InputError, match=r"samples: .* give a dense one"):
        Recording(made[layout](), RATE)


def test_the_imaginary_part_of_a_conjugate_is_a_sound() -> None:
    """Torch keeps its sign aside, which NumPy cannot."""
    turned = torch.complex(torch.zeros(len(SOUND)), torch.from_numpy(SOUND)).conj().imag
    np.testing.assert_array_equal(Recording(turned, RATE).samples[0], -SOUND)


def test_a_sample_rate_below_that_of_any_sound() -> None:
    with pytest.raises(InputError, match="a sample rate of 100 Hz is too low"):
        audiogen.continue_audio(SOUND, 100, seconds=1)


def test_numbers_of_numpy_and_arrays_that_cannot_be_written_to_are_as_good_as_any() -> None:
    fixed = SOUND.copy()
    fixed.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = audiogen.continue_audio(fixed, np.int64(RATE), seconds=np.float32(0.5), seed=np.int64(3))  # type: ignore[arg-type]
    np.testing.assert_array_equal(made, continued(seconds=0.5, seed=3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gap_between_an_array_and_a_tensor_is_filled_in_the_type_of_the_first(dtype: torch.dtype) -> None:
    tensor = torch.from_numpy(SOUND).to(dtype)
    filled = audiogen.fill(tensor, RATE, SOUND, seconds=0.5)  # type: ignore[type-var]
    assert isinstance(filled, torch.Tensor)
    assert filled.dtype == dtype
    np.testing.assert_array_equal(filled[-len(SOUND) :].numpy(), SOUND)
    other = audiogen.fill(SOUND, RATE, tensor, seconds=0.5)  # type: ignore[type-var]
    assert other.dtype == np.float32
    np.testing.assert_array_equal(other, filled.float().numpy())


@pytest.mark.parametrize("dtype", [np.dtype(">f4"), np.dtype(np.float32), np.dtype(np.longdouble)])
def test_arrays_that_torch_does_not_share_follow_a_tensor(dtype: np.dtype[np.floating]) -> None:
    fixed = SOUND.astype(dtype)
    fixed.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(of_type(fixed, torch.from_numpy(SOUND)).numpy(), SOUND)
