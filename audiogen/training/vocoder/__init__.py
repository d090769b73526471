"""Training of the neural vocoder: excerpts, losses, discriminators and media for TensorBoard."""
