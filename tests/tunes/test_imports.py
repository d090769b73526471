"""What is imported when: jobs on recordings load nothing of the tunes."""

from __future__ import annotations

import subprocess
import sys


def test_jobs_on_recordings_do_not_import_tunes() -> None:
    modules = "audiogen.cli.continue_, audiogen.jobs.continue_sound, audiogen.training.mel.mel_splits, audiogen.run"
    code = f"import sys, {modules}; print([name for name in sys.modules if name.startswith('audiogen.tunes')])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
