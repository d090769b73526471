"""What TensorBoard shows of a training besides its curves: the settings beside what they came to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from audiogen.experiment import Experiment, to_tree

FINAL = ("validation_loss", "train_loss", "best_step", "steps", "seconds", "parameters")


class EventLogger(TensorBoardLogger):
    """Events in ``RUN/tensorboard``, without the epochs that endless batches do not have.

    Args:
        folder: of the Run.
        name: of the folder of events in it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder, name="", version=name, default_hp_metric=False)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        kept = {name: value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(kept, step)

    def log_losses(self, part: str, losses: Mapping[str, Tensor], step: int) -> None:
        """The named losses of a part, "train" or "validation"."""
        self.log_metrics({f"{part}/{name}": float(value) for name, value in losses.items()}, step)

    def log_outcome(self, run: str, experiment: Experiment, metrics: Mapping[str, Any]) -> None:
        """Every setting by its dotted key, and the Run's name, beside what the training came to (the tab HPARAMS)."""
        found = {f"final/{name}": metrics[name] for name in FINAL if metrics.get(name) is not None}
        settings = {"run": run} | {key: _plain(value) for key, value in flat(to_tree(experiment)).items()}
        self.log_hyperparams(settings, found, metrics["steps"])
        self.finalize("success")


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": 1}``; the ``kind`` of a choice stands under the name of the choice itself."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = prefix if key == "kind" and prefix else f"{prefix}.{key}" if prefix else key
        found |= flat(value, name) if isinstance(value, Mapping) else {name: value}
    return found


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
