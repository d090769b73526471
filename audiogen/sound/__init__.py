"""Continuation of a recording: predict patches of mel frames, select them from the prompt, render and join them."""
