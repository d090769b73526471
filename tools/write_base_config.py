"""Write configs/base.yaml: every key, with the default that the code has for it.

Usage: python tools/write_base_config.py
"""

from pathlib import Path

from audiogen.experiment import Experiment, dump_yaml

HEADING = """\
# Every key and its default. Written by tools/write_base_config.py; the docstrings of the classes called
# ...Options, Training and Augmentation explain the keys. Other files name this one as `base:`.
"""


def base_config() -> str:
    """The text of configs/base.yaml."""
    return HEADING + dump_yaml(Experiment())


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("configs", "base.yaml").write_text(base_config(), encoding="utf-8")
