"""What `audiogen --help` prints. Without click, whose import takes three times as long as Python's own start."""

from __future__ import annotations

COMMANDS = {
    # name: (module of audiogen.cli, summary)
    "demo": ("demo", "Continue the recording that ships with audiogen."),
    "continue": ("continue_", "Continue a recording or a MIDI file."),
    "stream": ("stream", "Continue a recording without end, in real time."),
    "fill": ("fill", "Fill a gap in a recording."),
    "prepare": ("prepare", "Analyse a folder of recordings into a cache of mel frames."),
    "train": ("train", "Train a model on a recording, a folder or a cache."),
    "render": ("render", "Render many continuations from a table of jobs."),
    "studio": ("studio", "Open a page to make, compare and keep takes."),
    "watch": ("watch", "Continue recordings as they appear in a folder."),
    "vocode": ("vocode", "Analyse a recording to mel frames and resynthesise it."),
    "evaluate": ("evaluate", "Evaluate a continuation against real audio and baselines."),
    "infill": ("infill", "Regenerate some bars of a MIDI file (infilling)."),
    "accompany": ("accompany", "Generate an accompaniment to a MIDI file."),
    "compare": ("compare", "Train configurations on the same data and compare them."),
    "info": ("info", "Describe an audio file, a MIDI file or a Run."),
    "configs": ("configs", "List the shipped configurations, or print one."),
}

BEFORE = """\
Usage: audiogen [OPTIONS] [COMMAND] [ARGS]...

  audiogen: give it a recording, it gives you the rest.

  audiogen continue rain.wav -o longer.wav --seconds 30

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
"""

AFTER = """
  `audiogen COMMAND --help` describes a command and ends with examples.
  Shell completion of commands, options, their values, configurations and Runs:
    bash:  eval "$(_AUDIOGEN_COMPLETE=bash_source audiogen)"          in ~/.bashrc
    zsh:   eval "$(_AUDIOGEN_COMPLETE=zsh_source audiogen)"           in ~/.zshrc
    fish:  _AUDIOGEN_COMPLETE=fish_source audiogen | source           in config.fish
"""


def overview() -> str:
    """The text, for a terminal of 80 columns or more."""
    width = max(map(len, COMMANDS))
    return BEFORE + "".join(f"  {name:{width}}  {summary}\n" for name, (_, summary) in COMMANDS.items()) + AFTER
