"""Standard MIDI Files: parsed, read as a Tune, written, edited; channel controllers and their reset at the join."""
