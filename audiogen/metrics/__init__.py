"""Metrics of audio: what a continuation is like beside real audio and beside cheap baselines."""
