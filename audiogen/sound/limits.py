"""Ranges of what tails are requested by. Imports no library, so that the command line can read them at once."""

MAX_TEMPERATURE = 10
MAX_SEED = 2**63 - 1
