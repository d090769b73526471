"""Data-parallel training: two processes end with the same weights as one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from audiogen.audio import Recording, write
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml
from audiogen.training.processes import Processes
from audiogen.training.trainer import train

ROOT = Path(__file__).parents[2]
SCRIPT = """
    import sys
    from pathlib import Path
    from audiogen.audio import read
    from audiogen.experiment import read_experiment
    from audiogen.training.trainer import train
    folder = Path(sys.argv[1])
    run = train(read_experiment(folder / "tiny.yaml"), read(folder / "rain.wav"), folder / "two", budget=600)
    weight = float(next(run.model.parameters()).flatten()[0])
    print(f"first weight {weight}\\n", end="", flush=True)  # in one write, which the other process's cannot divide
"""


@pytest.mark.posix
def test_two_processes_train_like_one(
    tmp_path: Path, tiny: Callable[..., Experiment], texture: Callable[..., Recording]
):
    """Without random numbers in the loss, the mean gradient of two half batches is that of the batch."""
    plain = ("augmentation.gain=0", "model.dropout=0", "model.context_noise=0", "model.backbone.dropout=0")
    experiment = tiny(*plain, "training.optimizer=sgd", "training.learning_rate=0.01")
    (tmp_path / "tiny.yaml").write_text(dump_yaml(experiment))
    write(tmp_path / "rain.wav", texture(4.0), "FLOAT")
    train(experiment, texture(4.0), tmp_path / "one")
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(tmp_path / "script.py"), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("first weight")]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)
    assert len(list((tmp_path / "two" / "tensorboard").iterdir())) == 1


def test_a_batch_is_shared_equally():
    batch = (torch.arange(6), torch.arange(12).view(6, 2))
    parts = [Processes(rank, 3).part_of(batch) for rank in range(3)]
    assert [part[0].tolist() for part in parts] == [[0, 3], [1, 4], [2, 5]]
    assert torch.equal(torch.cat([part[1] for part in parts])[[0, 2, 4, 1, 3, 5]], batch[1])
    with pytest.raises(InputError, match=r"training\.batch_size: 6 windows cannot be shared .*multiple of 4"):
        Processes(0, 4).require_equal_parts(6)
    assert Processes().part_of(batch) is batch
