"""audiogen: give it a recording, it gives you the rest."""

__version__ = "0.1.0"
