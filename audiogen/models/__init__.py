"""The table of Models: ``model: {kind: KEY, ...}`` in a config."""

from audiogen.models.base import Model, Sampling, State
from audiogen.models.gan import GAN
from audiogen.models.grains import Grains
from audiogen.models.hmm import HMM
from audiogen.models.loop import Loop
from audiogen.models.noise import Noise
from audiogen.models.sequence import Sequence
from audiogen.models.tokens import Tokens
from audiogen.models.vae import VAE
from audiogen.models.var import VAR
from audiogen.models.walk import Walk

MODELS: dict[str, type[Model]] = {
    "sequence": Sequence,
    "vae": VAE,
    "gan": GAN,
    "var": VAR,
    "loop": Loop,
    "grains": Grains,
    "walk": Walk,
    "noise": Noise,
    "hmm": HMM,
    "tokens": Tokens,
}

__all__ = ["MODELS", "Model", "Sampling", "State"]
