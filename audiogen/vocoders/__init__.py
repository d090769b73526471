"""Vocoders: render mel frames as sound.

- `base`: the interface; `registry`: the vocoders by kind.
- `source`, `unit_selection`: rendering from the source recording, the default of continuations.
- `griffin_lim`: from mel frames alone, without training.
- `neural`, `magnitude_network`: the same with learned certainties and steps.
- `phase_reconstruction`: mel inversion, phases and Griffin-Lim iterations, which the three above share.
- `published`: BigVGAN and Vocos with their published weights.
- `block_stream`: streaming in blocks; `weight_files`: reading of weights; `weights`: the shipped ones.
"""
