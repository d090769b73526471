"""Data-parallel training: the processes that torchrun started, one for each GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from audiogen.errors import InputError
from audiogen.training.data_module import Batch


@dataclass(frozen=True)
class Processes:
    """One process among those that train a Model together; alone, nothing below does anything.

    Gradients are averaged by an all-reduce after the backward pass rather than inside
    `torch.nn.parallel.DistributedDataParallel`, whose hooks rule out losses with gradients of gradients.

    Args:
        rank: number of this process; 0 writes the Run.
        count: number of processes.
    """

    rank: int = 0
    count: int = 1

    def require_equal_parts(self, batch_size: int) -> None:
        """Raise an InputError unless batches can be shared equally."""
        if batch_size % self.count:
            cause = f"{batch_size} windows cannot be shared equally among {self.count} processes"
            raise InputError("training.batch_size", cause, f"use a multiple of {self.count}")

    def part_of(self, batch: Batch) -> Batch:
        """The rows of a batch that this process computes: every ``count``-th."""
        if self.count == 1:
            return batch
        if isinstance(batch, torch.Tensor):
            return batch[self.rank :: self.count]
        return tuple(self.part_of(part) for part in batch)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient with its mean over the processes."""
        if self.count == 1:
            return
        for weight in parameters:
            if weight.grad is not None:
                distributed.all_reduce(weight.grad)
                weight.grad /= self.count

    def share_weights(self, model: nn.Module) -> None:
        """Give all processes the weights and buffers of the first."""
        if self.count > 1:
            for tensor in model.state_dict().values():
                distributed.broadcast(tensor, 0)

    def from_main(self, *values: float) -> list[float]:
        """The first process's values of some numbers, so that all processes decide alike."""
        if self.count == 1:
            return list(values)
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        shared = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.broadcast(shared, 0)
        return shared.tolist()

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """A block that the first process runs before the others do."""
        if self.count > 1 and self.rank > 0:
            distributed.barrier()
        yield
        if self.count > 1 and self.rank == 0:
            distributed.barrier()


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """The processes of torchrun, joined while the block runs; this one alone if torchrun did not start it."""
    if not distributed.is_torchelastic_launched():
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(distributed.get_node_local_rank())
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
