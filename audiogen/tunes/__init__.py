"""Tunes: symbolic music (MIDI and ABC notation), read, continued, infilled, accompanied and rendered.

- `tune`: the `Tune`, notes and their clock; `abc_notation`, `midi.reader`: files -> Tune
- `midi.writer`, `midi.editor`: Tune -> MIDI file; a tail appended to one, or some bars of it replaced
- `midi.controller_reset`: volume, pitch bend, pedals, ... return to typical values at the join
- `tokens`: Tune <-> tokens; `tokens.grammar`: vocabulary, events, and which token may follow
- `midi_representation`: a token scheme as the Representation ``midi``
- `models`: the neural `token_model` with its auxiliary features, and the `markov` chain
- `tune_continuation`: the tail of a prompt; `infilling`: bars or parts that fit given notes (particle filter)
- `rewards`: rules that a tail should fulfil; `planning`: searches for tails that do, in batches from any bar line
- `metrics`: note statistics, histogram distance to the prompt, note copying, likelihood
- `rendering`: Tune -> Recording; `transcription`, `piano_transcription`: Recording -> Tune
"""
