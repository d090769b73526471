"""Reports as HTML pages, and the figures in them.

Pages: `continuation_page`, `variations_page`, `tune_variations_page`, `evaluation_report`, `blind_listening`; their
templates are in ``templates/``. Parts of pages: `scorecard` (measures with their good range), `texture_chart`, `panels`
(player and spectrogram), `excerpts` (audio around the join), `file_parts` (tails too long to be embedded, played from
their files), `figures`, `piano_rolls`.
"""
