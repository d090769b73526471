"""Ranges of what tails are requested by. Imports no library, so that the command line can read them at once."""

from audiogen.errors import InputError, require_number

MAX_TEMPERATURE = 10
MAX_SEED = 2**63 - 1


def checked_seed(seed: int) -> int:
    """A seed as a Python integer, which torch requires.

    Raises:
        InputError: it is no whole number, or out of range.
    """
    require_number("seed", seed, whole=True)
    if not 0 <= (value := int(seed)) <= MAX_SEED:
        raise InputError("seed", f"{value} is out of range", f"choose from 0 to {MAX_SEED}")
    return value
