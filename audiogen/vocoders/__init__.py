"""Vocoders: mel frames -> samples."""
