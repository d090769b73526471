"""How far ahead of the reader a segment of a live tail has to begin, by how long the last ones took to begin."""

from __future__ import annotations

MIN_DELAY, FIRST_DELAY = 0.4, 0.8  # seconds from the reader to the beginning of another segment
MAX_DELAY = 5.0  # of it, on a machine so busy that the change comes late rather than with a gap
MARGIN, SPARE_SECONDS = 1.15, 0.1  # by which that is longer than segments take to begin: a factor, and more


class Delay:
    """Seconds from the reader to the beginning of the next segment of one kind.

    Attributes:
        seconds: the present estimate, `MIN_DELAY` .. `MAX_DELAY`. It rises at once, and falls by half of the way.
    """

    def __init__(self) -> None:
        self.seconds = FIRST_DELAY

    def learn(self, taken: float) -> None:
        """Note that a segment took so many seconds to begin."""
        needed = MARGIN * taken + SPARE_SECONDS
        self.seconds = min(max(0.5 * (self.seconds + needed), needed, MIN_DELAY), MAX_DELAY)
