"""A trained vocoder on disk: the folder that ``vocoder.weights`` names."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogen.experiment import Experiment, dump_yaml, read_experiment
from audiogen.run import CONFIG, METRICS, WEIGHTS
from audiogen.text_files import dump_json, write_text
from audiogen.vocoders.magnitude_network import MagnitudeNetwork, save_network
from audiogen.vocoders.neural import NeuralOptions, load_network


@dataclass
class VocoderRun:
    """A trained vocoder and the Experiment that made it.

    Args:
        experiment: the whole configuration.
        network: in evaluation mode.
        metrics: plain numbers and strings: losses, steps, seconds.
        path: folder that it was opened from or saved to, if any.
    """

    experiment: Experiment
    network: MagnitudeNetwork
    metrics: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def save(self, folder: Path) -> None:
        """Write its files into a folder, each atomically, and the metrics last."""
        folder.mkdir(parents=True, exist_ok=True)
        save_network(self.network, folder / WEIGHTS)
        write_text(folder / CONFIG, dump_yaml(self.experiment))
        write_text(folder / METRICS, dump_json(self.metrics))

    @classmethod
    def open(cls, folder: Path) -> VocoderRun:
        """Read one whose training is finished."""
        network = load_network(NeuralOptions(str(folder)))
        metrics = json.loads((folder / METRICS).read_text("utf-8"))
        return cls(read_experiment(folder / CONFIG), network, metrics, folder)
