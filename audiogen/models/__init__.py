"""Models: what predicts the next frame; `MODELS` names them for ``model: {kind: KEY, ...}`` in a config."""

from audiogen.config.registry import Registry
from audiogen.models.base import Model, Sampling, State

MODELS: Registry[Model] = Registry(
    "audiogen.models",
    {
        "sequence": "audiogen.models.sequence_model:SequenceModel",
        "vae": "audiogen.models.vae:VAE",
        "gan": "audiogen.models.gan:GAN",
        "var": "audiogen.models.var:VAR",
        "loop": "audiogen.models.baselines.loop:Loop",
        "grains": "audiogen.models.baselines.grains:Grains",
        "walk": "audiogen.models.baselines.walk:Walk",
        "noise": "audiogen.models.baselines.noise:Noise",
        "hmm": "audiogen.models.hmm:HMM",
        "tokens": "audiogen.tunes.models.token_model:TokenModel",
    },
)

__all__ = ["MODELS", "Model", "Sampling", "State"]
