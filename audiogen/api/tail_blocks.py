"""Tails of samples in memory: what the functions that continue samples have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch

from audiogen.api.inputs import AnyRun, FilePath, to_experiment, to_prompt, to_run
from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.jobs.backward import rendered_tails, require_reversible
from audiogen.jobs.continuer_choice import MorphTarget
from audiogen.jobs.prepare_tail import prepare_tails
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import length_of, tail_blocks
from audiogen.sound.prompt_analysis import PromptParts, divide_prompt

Samples = TypeVar("Samples", np.ndarray, torch.Tensor)
"""A numpy array or a torch tensor; what goes in as one comes out as one."""


def prompt_of(samples: np.ndarray | torch.Tensor, sample_rate: int) -> Recording:
    """A Recording of the user's samples.

    Raises:
        InputError: there are none, or they lie the wrong way round.
    """
    recording = Recording(samples, sample_rate)
    if recording.length == 0:
        raise InputError("samples", "there are none", "give at least half a second")
    if recording.channels > recording.length:
        shape = f"[{recording.channels}, {recording.length}]"
        raise InputError("samples", f"of shape {shape} they have more channels than samples", "give samples.T")
    return recording


def like(block: np.ndarray, samples: Samples) -> Samples:
    """``[channels, time]`` float32 samples in the layout, type and library of ``samples``."""
    return of_type(block[0] if samples.ndim == 1 else block, samples)


def of_type(sound: np.ndarray | torch.Tensor, samples: Samples) -> Samples:
    """A sound in the floating-point type and library of ``samples``."""
    if isinstance(samples, torch.Tensor):
        if not isinstance(sound, torch.Tensor):  # torch warns of arrays that cannot be written to
            sound = torch.from_numpy(np.require(sound, np.float64 if sound.itemsize > 4 else np.float32, ["C", "W"]))
        return sound.to(samples.device, samples.dtype)
    array = sound.detach().cpu().double().numpy() if isinstance(sound, torch.Tensor) else sound
    return array.astype(samples.dtype, copy=False)


def tail_blocks_of(
    prompt: Recording,
    request: Request,
    seconds: float | None,
    morph: Recording | FilePath | None,
    run: AnyRun | FilePath | None,
    config: Experiment | FilePath | None,
    budget: float | None,
    cache: bool,
    device: str,
) -> tuple[PromptParts, Iterator[np.ndarray]]:
    """The prompt's parts, and the tail in ``[channels, time]`` blocks; training and analysis are done already."""
    length = sys.maxsize if seconds is None else length_of(prompt, request)
    target = None if morph is None else MorphTarget(to_prompt(morph, "morph"))
    experiment = to_experiment(config)
    chosen = to_run(run, config, budget, device)
    prepared = prepare_tails(prompt, [request], target, chosen, experiment, budget, device, cache)
    parts, continuer = prepared.tail(request)
    return parts, tail_blocks(parts, continuer, length, request)


def joined(first: Samples, second: Samples) -> Samples:
    """One sound after another, in the type of the second."""
    if isinstance(first, torch.Tensor):
        return torch.cat([first.detach(), second.detach()], dim=-1)
    return np.concatenate([first, second], axis=-1)


def earlier_of(
    prompt: Recording,
    request: Request,
    morph: Recording | FilePath | None,
    run: AnyRun | FilePath | None,
    config: Experiment | FilePath | None,
    budget: float | None,
    cache: bool,
    device: str,
) -> tuple[PromptParts, np.ndarray]:
    """The prompt's parts, and what came before it, ``[channels, time]``."""
    require_reversible(request, morph is not None)
    length_of(prompt, request)
    chosen, experiment = to_run(run, config, budget, device), to_experiment(config)
    parts = divide_prompt(prompt, request.keep_edges, request.ambience, backward=True)
    ((tail, _),) = rendered_tails(parts.reversed, [request], chosen, experiment, budget, device, cache)
    return parts, tail[:, ::-1]


def tails_of(
    prompt: Recording,
    requests: Sequence[Request],
    run: AnyRun | FilePath | None,
    config: Experiment | FilePath | None,
    budget: float | None,
    cache: bool,
    device: str,
    as_set: bool = False,
) -> Iterator[np.ndarray]:
    """Tails alone, ``[channels, time]`` each, with one training and one analysis of the prompt."""
    experiment = to_experiment(config)
    lengths = [length_of(prompt, request) for request in requests]
    choice = (to_run(run, config, budget, device), experiment, budget, device, cache)
    prepared = prepare_tails(prompt, requests, None, *choice, as_set=as_set)
    for request, length in zip(requests, lengths, strict=True):
        blocks = tail_blocks(*prepared.tail(request), length, request)
        yield np.concatenate(list(blocks), axis=1)
