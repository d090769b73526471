"""What a command does, from reading its input to writing its output: continue, infill, vocode, render, compare."""
