"""Training on tunes: splits, windows of tokens and media for TensorBoard."""
