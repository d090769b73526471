"""Batches: a table of jobs in, many continuations out, by worker processes, resumable."""
