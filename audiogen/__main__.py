"""The command line: `audiogen COMMAND` or `python -m audiogen COMMAND`."""

from audiogen.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
