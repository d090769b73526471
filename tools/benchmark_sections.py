"""What the benchmark measures: one function a section, each of which yields `Row`s."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
import torchaudio
from torch import nn

from audiogen.audio import Recording, read
from audiogen.experiment import Experiment, checked, read_experiment
from audiogen.models import Sampling
from audiogen.models.backbones import BACKBONES
from audiogen.models.backbones.base import Backbone
from audiogen.models.backbones.recurrent import RecurrentOptions
from audiogen.representation.mel import MelSpec, hann, log_mel
from audiogen.training.data_module import DataModule
from audiogen.training.loop import TrainingLoop
from audiogen.training.processes import Processes
from audiogen.training.trainer import DATA_MODULES
from tools.benchmark_timing import (
    Row,
    Time,
    by_turns,
    divided,
    first_bytes,
    process,
    processes_by_turns,
    repeated,
    split,
)
from tools.hash_outputs import texture

RATE, MINUTE = 44100, 60.0
STEPS = 10  # of a training, timed at once
GOAL_MET = {"the goal": -1.0}  # where the goal is a time
GPU = {"audiogen": "cuda", "this CPU": "cpu"}
FORMATS = {  # name: container, sample format
    "WAV, 16 bits": ("WAV", "PCM_16"),
    "WAV, 24 bits": ("WAV", "PCM_24"),
    "WAV, float": ("WAV", "FLOAT"),
    "FLAC": ("FLAC", "PCM_16"),
    "Ogg Vorbis": ("OGG", "VORBIS"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
}


def mel(folder: Path, rounds: int) -> Iterator[Row]:
    """Log-mel spectrogram of a minute, mono."""
    spec = MelSpec()
    samples = torch.from_numpy(texture(MINUTE, 1, 0).T[0].astype(np.float32))
    array, window = samples.numpy(), hann(spec, samples.device)
    transform = torchaudio.transforms.MelSpectrogram(
        RATE, 2048, hop_length=512, n_mels=128, power=1.0, norm="slaney", mel_scale="slaney"
    )
    frames = samples.unfold(-1, spec.win, spec.hop)
    tile, tiles = frames[:128] * window, len(frames) // 128

    def by_librosa() -> np.ndarray:
        bands = librosa.feature.melspectrogram(y=array, sr=RATE, n_fft=2048, hop_length=512, n_mels=128, power=1.0)
        return np.log(np.maximum(bands, 1e-5))

    times = by_turns(
        {
            "audiogen": lambda: log_mel(samples, spec),
            "librosa": by_librosa,
            "torchaudio": lambda: transform(samples).clamp(min=1e-5).log(),
            "its Fourier transforms alone": lambda: [torch.fft.rfft(tile) for _ in range(tiles)],
        },
        rounds,
    )
    goals = {"librosa": 3.0, "torchaudio": 3.0, "its Fourier transforms alone": -3.0}
    yield Row("log-mel of 60 s, mono", *split(times, "its Fourier transforms alone"), goals)


def reading(folder: Path, rounds: int) -> Iterator[Row]:
    """Files of a minute, stereo."""
    samples = texture(MINUTE, 2, 0)
    samples = samples / np.abs(samples).max() * 0.9
    for name, (container, subtype) in FORMATS.items():
        path = folder / f"{container}-{subtype}"
        with soundfile.SoundFile(path, "w", RATE, 2, subtype, format=container) as file:
            for start in range(0, len(samples), 1 << 16):
                file.write(samples[start : start + (1 << 16)])
        times = by_turns(
            {
                "audiogen": lambda path=path: read(path),
                "librosa.load": lambda path=path: librosa.load(path, sr=None, mono=False),
                "the bytes of the file alone": path.read_bytes,
            },
            rounds,
        )
        goals = {"librosa.load": 2.0 if container == "WAV" else 1.0}
        yield Row(f"reading 60 s of stereo, {name}", *split(times, "the bytes of the file alone"), goals)


@torch.no_grad()
def stepping(folder: Path, rounds: int) -> Iterator[Row]:
    """One step of each backbone, a frame after 512 others."""
    torch.manual_seed(0)
    width, generator = 512, torch.Generator().manual_seed(0)
    backbone = BACKBONES["lstm"](width, RecurrentOptions(width, 2, 0.0)).eval()
    layers = nn.LSTM(width, width, 2, batch_first=True).eval()
    cells = [nn.LSTMCell(width, width), nn.LSTMCell(width, width)]
    weights = torch.randn(2 * 4 * width, 2 * width, generator=generator)
    for batch in (1, 16):
        frame = torch.randn(batch, 1, width, generator=generator)
        _, state = backbone(frame)
        packed = tuple(each.transpose(0, 1).contiguous() for each in state)
        both = torch.randn(2 * width, batch, generator=generator)

        def by_cells(frame: torch.Tensor = frame, state: tuple[torch.Tensor, ...] = packed) -> None:
            hidden = frame[:, 0]
            for cell, output, memory in zip(cells, *state, strict=True):
                hidden, _ = cell(hidden, (output, memory))

        functions = {
            "audiogen": lambda frame=frame, state=state: backbone(frame, state),
            "nn.LSTM": lambda frame=frame, packed=packed: layers(frame, packed),
            "nn.LSTMCell": by_cells,
            "the products alone": lambda both=both: weights @ both,
            "reading the weights once": weights.sum,
        }
        times = divided(by_turns({name: repeated(each) for name, each in functions.items()}, rounds))
        goals = {"nn.LSTM": 6.0, "nn.LSTMCell": 1.4} if batch == 1 else {"nn.LSTM": 4.0}
        limits = ("the products alone", "reading the weights once")
        yield Row(f"a step of an LSTM, 2 x 512, batch {batch}", *split(times, *limits), goals)
    for kind, name, goal in (("conv", "ring buffers", 15.0), ("transformer", "key-value cache", 50.0)):
        yield from _against_recomputing(
            BACKBONES[kind], f"a step of the {kind} ({name}) after 512 frames", goal, rounds
        )


def _against_recomputing(kind: type[Backbone], what: str, goal: float, rounds: int) -> Iterator[Row]:
    backbone = kind(32, kind.Options()).eval()
    frames = torch.randn(1, 513, 32, generator=torch.Generator().manual_seed(0))
    _, state = backbone(frames[:, :512])
    functions = {
        "audiogen": repeated(lambda: backbone(frames[:, 512:], state)),
        "recomputing all 512": repeated(lambda: backbone(frames)),
    }
    yield Row(what, divided(by_turns(functions, rounds)), {}, {"recomputing all 512": goal})


def training(folder: Path, rounds: int) -> Iterator[Row]:
    """Steps of a training on half a minute of stereo, without validations, and of a bare loop on the same batches."""
    experiment, data = _training_data()
    loop = _loop(experiment, data, torch.device("cpu"))
    model = data.initial_model(experiment, None).train()
    optimizer = torch.optim.AdamW(model.parameters(), experiment.training.learning_rate, weight_decay=0.01)
    steps = itertools.count()

    def bare() -> None:
        for step in itertools.islice(steps, STEPS):
            batch = data.frames(data.batch(step, experiment.training.batch_size), augmented=True)
            loss = model.loss(batch)["loss"]
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), experiment.training.gradient_clip)
            optimizer.step()

    times = divided(by_turns({"audiogen": lambda: _advance(loop), "a bare loop": bare}, rounds), STEPS)
    yield Row("a step of training `configs/base.yaml`", times, goals={"a bare loop": 0.97})


def _training_data() -> tuple[Experiment, DataModule]:
    options = ["training.steps=1000000", "training.patience=0", "training.log_media_every=0"]
    experiment = checked(read_experiment(overrides=[*options, "representation.channels=2"]))
    recording = Recording(texture(30.0, 2, 0).T.astype(np.float32), RATE)
    return experiment, DATA_MODULES["mel"](experiment, recording, None, None)


def _loop(experiment: Experiment, data: DataModule, device: torch.device) -> TrainingLoop:
    loop = TrainingLoop(data.initial_model(experiment, None), data, experiment, device, Processes())
    loop.validation_batch = None
    return loop


def _advance(loop: TrainingLoop) -> None:
    loop.last_step = loop.step + STEPS
    loop.run(None, None, None)
    if loop.device.type == "cuda":
        torch.cuda.synchronize()


def on_gpu(folder: Path, rounds: int) -> Iterator[Row]:
    """Training on a GPU and on this CPU, and 64 streams at once on a GPU."""
    experiment, data = _training_data()
    loops = {name: _loop(experiment, data, torch.device(device)) for name, device in GPU.items()}
    functions = {name: lambda loop=loop: _advance(loop) for name, loop in loops.items()}
    times = divided(by_turns(functions, max(rounds // 3, 1)), STEPS)
    yield Row("a step of training on a GPU", times, goals={"this CPU": 30.0}, by_wall=True)
    model = loops["audiogen"].model.eval()
    state = model.start(data.frames(data.batch(0, 64)).to(GPU["audiogen"]))

    @torch.no_grad()
    def step() -> None:
        model.step(state, Sampling())
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    times = divided(by_turns({"audiogen": repeated(step)}, rounds))
    options = experiment.representation.options
    sound = 64 * options.patch * options.spec.hop / RATE
    limit = {"a thousandth of the sound in it": Time(sound / 1000, sound / 1000)}
    yield Row("a step of 64 streams on a GPU", times, limit, {next(iter(limit)): -1.0}, by_wall=True)


def starting(folder: Path, rounds: int) -> Iterator[Row]:
    """The help text, and Python itself."""
    functions = {"audiogen": process("-m", "audiogen", "--help"), "python -c pass": process("-c", "pass")}
    times = processes_by_turns(functions, rounds)
    yield Row("`audiogen --help`", *split(times, "python -c pass"), {"python -c pass": -4.0})


def continuing(folder: Path, rounds: int) -> Iterator[Row]:
    """Half a minute of stereo by the default, cold, and the first second of it in a stream, until it can be heard."""
    soundfile.write(folder / "rain.wav", texture(30.0, 2, 0), RATE, "PCM_16")
    command = ("-m", "audiogen", "continue", "rain.wav", "-o", "out.wav", "--seconds", "30", "--force", "-q")
    stream, second = ("-m", "audiogen", "stream", "rain.wav", "--format", "s16", "-q"), RATE * 2 * 2
    imports, first = "importing torch alone", "the first second"
    functions = {
        "audiogen": process(*command, folder=folder),
        first: first_bytes(second, *stream, folder=folder),
        imports: process("-c", "import torch", folder=folder),
    }
    times = processes_by_turns(functions, max(rounds // 5, 1))
    limits = {imports: times[imports], "the goal": Time(5.0, 4.0)}
    yield Row(
        "30 s of stereo by the default, cold start to closed file", {"audiogen": times["audiogen"]}, limits, GOAL_MET
    )
    limits = {imports: times[imports], "the goal": Time(2.0, 2.0)}
    yield Row("cold start to the first second of sound in a stream", {"audiogen": times[first]}, limits, GOAL_MET)


def variations(folder: Path, rounds: int) -> Iterator[Row]:
    """Sixteen variations and one, each once: they take long."""
    soundfile.write(folder / "rain.wav", texture(30.0, 2, 0), RATE, "PCM_16")
    command = ("-m", "audiogen", "continue", "rain.wav", "-o", "out.wav", "--seconds", "30", "--force", "-q")
    functions = {
        "audiogen": process(*command, "--variations", "16", folder=folder),
        "one of them": process(*command, folder=folder),
    }
    times = processes_by_turns(functions, rounds=1, warm=False)
    # The clock, since they are made side by side.
    yield Row("16 variations of 30 s, by the clock", times, {}, {"one of them": -5.0}, by_wall=True)


SECTIONS: dict[str, Callable[[Path, int], Iterator[Row]]] = {
    "mel": mel,
    "read": reading,
    "step": stepping,
    "train": training,
    "start": starting,
    "continue": continuing,
    "variations": variations,
    "gpu": on_gpu,
}


def skipped(section: str) -> str | None:
    """Why a section cannot be measured here; None if it can."""
    return "no CUDA device here" if section == "gpu" and not torch.cuda.is_available() else None
