"""Training: fits the Model, or the vocoder, of an Experiment to recordings or tunes, and makes a Run of it."""
