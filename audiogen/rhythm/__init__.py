"""Rhythm of a recording: its pulse, beats, bars, and how alike its beats are."""
