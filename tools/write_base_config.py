"""Write configs/base.yaml (every key with its default) and audiogen/config/known_keys.json (the types of values).

Usage: python tools/write_base_config.py
"""

from pathlib import Path

from audiogen.config.known_keys import schema_of
from audiogen.config.shipped import KNOWN_KEYS
from audiogen.experiment import Experiment, dump_yaml
from audiogen.text_files import dump_json

HEADING = """\
# Every key and its default. Written by tools/write_base_config.py; the docstrings of Training, Augmentation,
# VocoderTraining and the classes called ...Options explain the keys. Other files name this one as `base:`.
"""


def base_config() -> str:
    """The text of configs/base.yaml."""
    return HEADING + dump_yaml(Experiment())


def known_keys() -> str:
    """The text of audiogen/config/known_keys.json."""
    return dump_json(schema_of(Experiment))


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("configs", "base.yaml").write_text(base_config(), encoding="utf-8")
    KNOWN_KEYS.write_text(known_keys(), encoding="utf-8")
