"""Entry point of the command line: `audiogen COMMAND` or `python -m audiogen COMMAND`."""

import os
import signal
import sys

from audiogen.signals import INTERRUPTIONS


def main() -> None:
    """Run a command. An interruption while its modules are imported ends it with one line, not with a traceback."""
    handlers = {number: signal.getsignal(number) for number in INTERRUPTIONS}
    # ignored signals, as under nohup, stay ignored; None is a handler that was not set from Python
    handlers = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
    for number in handlers:
        signal.signal(number, _exit_at_once)

    if sys.argv[1:] in ([], ["-h"], ["--help"]) and "_AUDIOGEN_COMPLETE" not in os.environ:
        _print_overview()
        return

    from audiogen.cli import main as run_command

    for number, handler in handlers.items():
        signal.signal(number, handler)
    run_command()


def _print_overview() -> None:
    from audiogen.overview import overview

    try:
        print(overview(), end="", flush=True)
    except BrokenPipeError:  # such as `audiogen | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:  # a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(f"audiogen: failed: the output: {error.strerror}")


def _exit_at_once(number: int, frame: object) -> None:
    """Exit without unwinding: an exception raised inside an import can be swallowed or wrapped."""
    os.write(2, b"audiogen: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
