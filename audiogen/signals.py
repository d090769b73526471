"""The signals that end a command."""

import signal

INTERRUPTIONS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, a scheduler's end of a job, and a terminal that is closed; Windows has no SIGHUP."""
