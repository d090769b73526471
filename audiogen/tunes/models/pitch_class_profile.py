"""Pitch-class profile: decaying counts of recent pitch classes, from which a network reads the key.

A pitch-class profile tells the key (Krumhansl 1990, "Cognitive Foundations of Musical Pitch"). One network reads it
upwards from each pitch class, so that what it learns in one key holds in all (transposition equivariance).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audiogen.tunes.tokens.grammar import Vocabulary

PITCH_CLASSES = 12
TIME_CONSTANTS = (1.0, 6.0, 24.0, 96.0)
"""Notes after which a count has decayed to 1 / e: from the current harmony to the key."""
HIDDEN = 32


class PitchClassProfile(nn.Module):
    """Counts pitch classes with several time constants, and predicts which are likely next.

    Attribute names are keys of saved weights.

    Args:
        vocabulary: all tokens of kind "pitch" are counted, also those of drums.
        embedding: size of token embeddings.
        context: size of the Head's input.
    """

    classes: Tensor
    decay: Tensor

    def __init__(self, vocabulary: Vocabulary, embedding: int, context: int) -> None:
        super().__init__()
        classes = [int(value) % PITCH_CLASSES if kind == "pitch" else -1 for kind, value in vocabulary.events]
        self.register_buffer("classes", torch.tensor(classes), persistent=False)
        self.register_buffer("decay", torch.exp(-1 / torch.tensor(TIME_CONSTANTS))[:, None], persistent=False)
        self.vectors = nn.Linear(len(TIME_CONSTANTS) * PITCH_CLASSES, embedding)
        self.chroma = nn.Conv1d(len(TIME_CONSTANTS), HIDDEN, PITCH_CLASSES)
        self.circumstances = nn.Linear(context, HIDDEN)
        self.expected = nn.Sequential(nn.SiLU(), nn.Linear(HIDDEN, 1))

    def start(self, batch: int) -> Tensor:
        """State before the first token: counts ``[batch, time constants, 12]``."""
        return self.decay.new_zeros(batch, len(TIME_CONSTANTS), PITCH_CLASSES)

    def read(self, tokens: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Profiles log(1 + count) after each of the tokens, and the state after the last.

        Args:
            tokens: ``[batch, time]``.
            counts: the state.

        Returns:
            ``[batch, time, time constants, 12]``, ``[batch, time constants, 12]``.
        """
        classes = self.classes[tokens]
        is_pitch = classes >= 0
        added = nn.functional.one_hot(classes.clamp(min=0), PITCH_CLASSES) * is_pitch[..., None]
        profiles = []
        for step in range(tokens.shape[1]):
            decayed = torch.where(is_pitch[:, step, None, None], counts * self.decay, counts)
            counts = decayed + added[:, step, None]
            profiles.append(counts)
        return torch.log1p(torch.stack(profiles, dim=1)), counts

    def seen_from(self, profile: Tensor, pitch: Tensor) -> Tensor:
        """Embeddings ``[batch, time, embedding]`` of profiles, rotated to begin with the class of ``pitch``."""
        order = (pitch.clamp(min=0)[..., None] + torch.arange(PITCH_CLASSES, device=pitch.device)) % PITCH_CLASSES
        rotated = profile.gather(-1, order[..., None, :].expand(profile.shape))
        return self.vectors(rotated.flatten(-2))

    def logits(self, profile: Tensor, context: Tensor) -> Tensor:
        """Logits of the pitch classes, ``[batch, time, 12]``, from contexts ``[batch, time, context]``."""
        circular = torch.cat([profile, profile[..., :-1]], dim=-1)
        # The convolution as a matrix product: for one token of a small batch, torch's takes several times as long.
        rotated = circular.unfold(-1, PITCH_CLASSES, 1).transpose(-2, -3).flatten(-2)
        seen = nn.functional.linear(rotated, self.chroma.weight.flatten(1), self.chroma.bias)
        return self.expected(seen + self.circumstances(context)[..., None, :])[..., 0]
