"""Metrics of audio continuations.

Entry points: `evaluation.evaluate` (continuation, real audio and baselines), `tail_measures.measure_continuation` (the
measures in a sidecar), and `registry.METRICS` (metrics of other packages).

- `texture`, `scattering`: distance of texture statistics from real audio; the texture chart.
- `copying`: verbatim passages of the prompt or of the tail itself; `waveform_repeat`: sample-exact repetition.
- `join_quality`: step, click or break at the join or at a loop's seam.
- `drift`, `segments`: changes of level, brightness and variance over time; `tonality`; `stereo`.
- `spectral_tilt`, `crest_factor`, `population_distance`: other distances between two sounds.
- `tail_evaluator`: texture and copying of several tails of one prompt; `evaluation_inputs`: preparation of recordings.
- `waveform_baselines`: simple continuations for comparison; `spectra`: short-time spectra and bands for all of these.
"""
