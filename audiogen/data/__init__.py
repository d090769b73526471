"""Training data: recordings, caches, windows, splits and published data sets."""
