"""Configuration keys of earlier versions and their current names.

Runs and configuration files of earlier versions stay readable: `audiogen.config.trees.merge`, through which every
mapping passes, looks their keys up here.
"""

from __future__ import annotations

FORMER_KEYS: dict[str, dict[str, str | None]] = {
    "model=gan": {"matching": "feature_matching", "penalty": "r1_weight"},
    "model=hmm": {"rounds": "max_iterations"},
    "model=tokens": {"recall": "match_length"},
    "model=vae": {"free": "free_bits"},
    "model.head=flow": {"tails": "noise_dof"},
    "vocoder=griffin_lim": {
        "coarse": "coarse_iterations",
        "free": "unconstrained_share",
        "inversion": "inversion_iterations",
        "trust": "magnitude_weight",
    },
    "vocoder=neural": {"coarse": "coarse_iterations"},
    "vocoder.matching": {"forget": "reuse_decay", "jump": "jump_cost", "reuse": "reuse_cost"},
    "training": {
        "average": "ema_decay",
        "batch": "batch_size",
        "clip": "gradient_clip",
        "horizon": "schedule_steps",
        "listen_every": "log_media_every",
        "shares": "split_fractions",
    },
    "vocoder_training": {
        "start": "init_from",
        "predicted_by": "frames_from",
        "spectral": "spectral_weight",
        "mel": "mel_weight",
        "adversarial": "adversarial_weight",
        "features": "features_weight",
        "discriminator": "discriminator_channels",
        "likelihood": None,
    },
}
"""Section -> former key -> current key, or None for a key that has no effect any more.

A section is the dotted path of a mapping, with ``=KIND`` appended where the key belongs to one kind of a choice:
``"model.head=flow"``.
"""


def current_key(section: str, kind: str | None, key: str) -> str | None:
    """The current name of a key, or None for a key to ignore.

    Args:
        section: dotted path of the mapping that holds the key; "" for the root.
        kind: kind of the choice that the mapping describes; None if it describes none or the kind is unknown.
        key: as it is written.
    """
    for name in (section, f"{section}={kind}"):
        if key in FORMER_KEYS.get(name, ()):
            return FORMER_KEYS[name][key]
    return key
