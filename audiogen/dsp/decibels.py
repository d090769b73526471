"""Decibels."""

from __future__ import annotations

import math

DB_PER_NEPER = 20 / math.log(10)  # dB of one unit of a natural logarithm of magnitude, such as a log-mel value
NEPERS_PER_DB = math.log(10) / 20
