"""Training on recordings: splits, windows of mel frames, augmentation and media for TensorBoard."""
