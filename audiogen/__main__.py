"""The command line: `audiogen COMMAND` or `python -m audiogen COMMAND`."""

import signal

try:
    from audiogen import cli
except KeyboardInterrupt:  # before there is anyone to say it
    raise SystemExit(130) from None


def main() -> None:
    """`audiogen.cli.main`, with nothing more to interrupt once it is through."""
    try:
        cli.main()
    finally:
        signal.signal(signal.SIGINT, lambda *ignored: None)


if __name__ == "__main__":
    main()
