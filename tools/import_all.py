"""Import every module of the package: what it is made of is compiled once, not by each command that comes after.

    python tools/import_all.py

`make` does so with PYTHONDONTWRITEBYTECODE empty, since pip was told not to compile all of torch: where that variable
is set, two seconds of every command would be spent on it.
"""

from __future__ import annotations

import importlib
import pkgutil

import audiogen


def main() -> None:
    """All but the one that runs the command line."""
    for module in pkgutil.walk_packages(audiogen.__path__, "audiogen."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


if __name__ == "__main__":
    main()
