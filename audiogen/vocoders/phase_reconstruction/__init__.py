"""Phase reconstruction: samples from mel frames by signal processing.

In order: `mel_band_projection` (magnitudes); `phase_gradients` and, above a few kHz, `low_noise` (initial phases);
`coarse_to_fine` and `projection` (Griffin-Lim iterations onto mel bands); `equaliser` (power in each mel band).
`magnitude_estimate` runs the chain for one block, `source_spectrum` analyses the source recording.
"""
