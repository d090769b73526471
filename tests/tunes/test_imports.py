"""What is imported when: jobs on recordings load nothing of the tunes."""

from __future__ import annotations

import subprocess
import sys


def test_jobs_on_recordings_do_not_import_tunes() -> None:
    modules = "audiogen.cli.continue_, audiogen.jobs.continue_sound, audiogen.training.mel.mel_splits, audiogen.run"
    assert imported(modules, "audiogen.tunes") == "[]"


def test_trainings_on_tunes_do_not_import_scipy() -> None:
    modules = "audiogen.training.trainer, audiogen.training.tunes.critic_data_module"
    assert imported(modules, "scipy") == "[]"


def imported(modules: str, package: str) -> str:
    """What of a package is loaded by importing some modules in a process of its own, as a list."""
    code = f"import sys, {modules}; print([name for name in sys.modules if name.startswith('{package}')])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
