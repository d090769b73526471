"""Which pitch classes have been heard: the key, worked out instead of learned.

A pitch-class profile tells the key (Krumhansl 1990, "Cognitive Foundations of Musical Pitch"). Read from each pitch
class upwards, one network judges all of them: what it has learned in one key it knows in all.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CLASSES = 12
MEMORIES = (1.0, 6.0, 24.0, 96.0)
"""Notes after which a note counts for 1 / e: the harmony of the moment, and the key."""
HIDDEN = 32


class PitchClassProfile(nn.Module):
    """Counts the notes of each pitch class, with several memories, and says which classes are to be expected.

    Args:
        vocabulary: names of the tokens; those that begin with "pitch" are counted, those of drums as well.
        embedding: size of the tokens' vectors.
        context: size of the context that the Head is given.
    """

    classes: Tensor
    kept: Tensor

    def __init__(self, vocabulary: Sequence[str], embedding: int, context: int) -> None:
        super().__init__()
        told = [name.partition(" ") for name in vocabulary]
        classes = [int(value) % CLASSES if kind == "pitch" else -1 for kind, _, value in told]
        self.register_buffer("classes", torch.tensor(classes), persistent=False)
        self.register_buffer("kept", torch.exp(-1 / torch.tensor(MEMORIES))[:, None], persistent=False)
        self.vectors = nn.Linear(len(MEMORIES) * CLASSES, embedding)
        self.chroma = nn.Conv1d(len(MEMORIES), HIDDEN, CLASSES)
        self.circumstances = nn.Linear(context, HIDDEN)
        self.expected = nn.Sequential(nn.SiLU(), nn.Linear(HIDDEN, 1))

    def start(self, batch: int) -> Tensor:
        """The state before the first token: counts ``[batch, memories, 12]``."""
        return self.kept.new_zeros(batch, len(MEMORIES), CLASSES)

    def read(self, tokens: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """log(1 + count) after each of the tokens ``[batch, time]``, ``[batch, time, memories, 12]``; the counts after
        the last."""
        heard = self.classes[tokens]
        struck = nn.functional.one_hot(heard.clamp(min=0), CLASSES) * (heard >= 0)[..., None]
        told = []
        for step in range(tokens.shape[1]):
            kept = torch.where((heard[:, step] >= 0)[:, None, None], counts * self.kept, counts)
            counts = kept + struck[:, step, None]
            told.append(counts)
        return torch.log1p(torch.stack(told, dim=1)), counts

    def seen_from(self, profile: Tensor, pitch: Tensor) -> Tensor:
        """Vectors ``[batch, time, embedding]`` of profiles, from the class of a pitch ``[batch, time]`` upwards."""
        places = (pitch.clamp(min=0)[..., None] + torch.arange(CLASSES, device=pitch.device)) % CLASSES
        turned = profile.gather(-1, places[..., None, :].expand(profile.shape))
        return self.vectors(turned.flatten(-2))

    def logits(self, profile: Tensor, context: Tensor) -> Tensor:
        """Of each pitch class ``[batch, time, 12]``, from contexts ``[batch, time, context]``."""
        around = torch.cat([profile, profile[..., :-1]], dim=-1)
        seen = self.chroma(around.flatten(0, 1)).unflatten(0, profile.shape[:2])
        return self.expected((seen + self.circumstances(context)[..., None]).transpose(-1, -2))[..., 0]
