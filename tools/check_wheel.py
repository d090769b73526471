"""Check of the wheel: build it, install it into a separate environment, and use it there.

    python tools/check_wheel.py [--keep FOLDER]

Needs only Python and pip. Checks `audiogen demo`, a training with a shipped configuration by name, that a type checker
sees the package's types, that its metadata name the licences, and that it contains no tests and tools.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QUICK = ("training.steps=5", "training.log_media_every=0", "--budget", "60")


def run(*command: object, cwd: Path) -> str:
    """Run a command; print the end of its output and stop if it fails."""
    print("$", *command, flush=True)
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def contents(wheel: Path) -> None:
    """Print the contents of the wheel by folder, and fail if it contains unexpected files."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    folders: dict[str, int] = {}
    for name, size in sizes.items():
        folders["/".join(name.split("/")[:2])] = folders.get("/".join(name.split("/")[:2]), 0) + size
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    for name, size in sorted(folders.items()):
        print(f"  {name:<44} {size / 1e3:9.0f} kB")
    strange = [name for name in sizes if name.split("/")[0] not in ("audiogen",) and ".dist-info/" not in name]
    if strange or "audiogen/py.typed" not in sizes:
        sys.exit(f"foreign files {strange}, or no py.typed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="empty folder to work in, which is kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "venv", "env", cwd=folder)
        python = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet")
        run(*pip, "wheel", "--no-deps", "-w", folder, ROOT, cwd=folder)
        wheel = next(folder.glob("*.whl"))
        contents(wheel)
        run(*pip, "install", "--no-compile", "-c", ROOT / "constraints.txt", wheel, "mypy", cwd=folder)
        audiogen = python.with_name("audiogen")
        print(run(audiogen, "demo", "-o", "demo", cwd=folder))
        print(run(audiogen, "configs", cwd=folder).splitlines()[0])
        print(run(audiogen, "train", "mel/lstm-flow", "--data", "demo", "-o", "run", *QUICK, cwd=folder))
        shutil.copy(ROOT / "tools" / "typed_user.py", folder / "typed.py")
        print(run(python, "-m", "mypy", "--strict", "--follow-imports=silent", "typed.py", cwd=folder))
        look = "import importlib.metadata as m; print(m.metadata('audiogen-continue')['License-Expression'])"
        print(run(python, "-c", look, cwd=folder))


if __name__ == "__main__":
    main()
