"""The command line: `audiogen COMMAND` or `python -m audiogen COMMAND`."""

try:
    from audiogen.cli import main
except KeyboardInterrupt:  # before there is anyone to say it
    raise SystemExit(130) from None

__all__ = ["main"]

if __name__ == "__main__":
    main()
