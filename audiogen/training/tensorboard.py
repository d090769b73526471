"""TensorBoard events of a training: losses, audio, images, and the table of hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

from audiogen.experiment import Experiment, to_tree

FINAL = ("validation_loss", "train_loss", "best_step", "steps", "seconds", "parameters")


class EventWriter(SummaryWriter):
    """`SummaryWriter` with the losses and hyperparameters of a training.

    Tags: ``train/LOSS``, ``validation/LOSS``, ``audio/NAME``, ``spectrogram/NAME``, ``piano_roll/NAME``, ``final/NAME``
    """

    def add_losses(self, split: str, losses: Mapping[str, Tensor | float], step: int) -> None:
        """Named losses of a split, "train" or "validation"."""
        for name, value in losses.items():
            self.add_scalar(f"{split}/{name}", float(value), step)
        self.flush()  # visible at once, and not lost by a kill: a resumed training does not log them again

    def add_outcome(self, run: str, experiment: Experiment, metrics: Mapping[str, Any]) -> None:
        """Every configuration key and the Run's name beside the final metrics (the tab HPARAMS)."""
        final = {f"final/{name}": metrics[name] for name in FINAL if metrics.get(name) is not None}
        settings = {"run": run} | {key: _plain(value) for key, value in flat(to_tree(experiment)).items()}
        for summary in hparams(settings, final):  # add_hparams would write them as another Run
            self._get_file_writer().add_summary(summary)
        for name, value in final.items():
            self.add_scalar(name, value, metrics["steps"])


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": 1}``; the ``kind`` of a choice stands under the name of the choice itself."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = prefix if key == "kind" and prefix else f"{prefix}.{key}" if prefix else key
        found |= flat(value, name) if isinstance(value, Mapping) else {name: value}
    return found


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
