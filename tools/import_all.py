"""Import every module of the package, so that its dependencies are compiled to bytecode once.

    python tools/import_all.py

`make` runs it with PYTHONDONTWRITEBYTECODE empty, since pip does not compile all of torch on installation: where that
variable is set, every command would spend two seconds compiling.
"""

from __future__ import annotations

import importlib
import pkgutil

import audiogen


def main() -> None:
    """Import all modules except the one that runs the command line, and those of extras that are not installed."""
    for module in pkgutil.walk_packages(audiogen.__path__, "audiogen."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == "audiogen":
                raise


if __name__ == "__main__":
    main()
