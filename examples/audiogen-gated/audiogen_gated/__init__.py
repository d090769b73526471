"""A gated convolutional backbone and a roughness metric for audiogen."""
