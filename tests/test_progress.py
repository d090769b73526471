"""Progress: bars on terminals, lines in verbose logs, callbacks, nothing otherwise."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from audiogen import progress as module
from audiogen.progress import progress, report_to, set_verbosity, stage, write_line


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    set_verbosity()
    yield
    set_verbosity()


def as_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal; not in a fixture, as pytest restores its own stderr between set-up and test."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "DELAY", 0.05)
    monkeypatch.setattr(module, "REFRESH", 0.02)
    return stream


def test_nothing_is_printed_if_stderr_is_not_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with stage("reading"), progress(4, "training") as bar:
        bar.update(4)
    assert capsys.readouterr() == ("", "")


def test_a_verbose_log_has_one_line_per_tenth_and_no_carriage_returns(capsys: pytest.CaptureFixture[str]) -> None:
    set_verbosity(verbose=True)
    with stage("reading a.wav"):
        pass
    with progress(1000, "training") as bar:
        for step in range(1000):
            bar.update()
            bar.set_postfix({"loss": step})
    output = capsys.readouterr().err
    assert "\r" not in output
    texts = [line.split(" s  ", 1)[1] for line in output.splitlines()]
    assert texts[0] == "reading a.wav ..."
    assert texts[1].startswith("reading a.wav: 0.0")
    assert texts[2] == "training ..."
    shares = [text.split("%")[0] for text in texts[3:-1]]
    assert shares == [f"training: {share}" for share in range(10, 100, 10)]
    assert texts[-1].startswith("training: 0.")
    assert texts[-1].endswith("loss=999")


def test_a_stage_shows_a_running_clock_after_a_while_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    with stage("reading long.wav"):
        deadline = time.monotonic() + 20
        while not terminal.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)  # as work would that blocks the main thread
    shown = terminal.getvalue()
    assert "reading long.wav ... 00:00" in shown
    assert shown.rstrip(" ").endswith("\r")
    assert "\n" not in shown


def test_a_short_stage_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    monkeypatch.setattr(module, "DELAY", 60)
    with stage("reading short.wav"):
        pass
    assert terminal.getvalue() == ""


def test_a_stage_propagates_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    as_terminal(monkeypatch)
    with pytest.raises(KeyboardInterrupt), stage("reading"):
        raise KeyboardInterrupt


def test_quiet_is_quiet_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    set_verbosity(quiet=True)
    with stage("reading"):
        time.sleep(0.15)
    with progress(2, "training") as bar:
        time.sleep(0.1)
        bar.update(2)
    assert terminal.getvalue() == ""


def test_a_line_does_not_tear_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    with progress(10, "training") as bar:
        time.sleep(0.1)
        bar.update(5)
        bar.refresh()  # type: ignore[union-attr]
        assert "50%" in terminal.getvalue()
        write_line("audiogen: warning: clipped")
    before, line, after = terminal.getvalue().partition("audiogen: warning: clipped\n")
    assert line
    assert before.rpartition("\r")[2].strip() == ""  # the bar was cleared: the line begins an empty one
    assert "50%" in after  # and is there again


def test_a_callback_replaces_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    calls: list[tuple[float, float, str]] = []
    with report_to(lambda *call: calls.append(call)):
        with stage("reading"):
            pass
        with progress(4, "training") as bar:
            bar.update(3)
            bar.set_postfix({"loss": 1.0})
            bar.update()
    assert calls == [
        (0, 1, "reading"),
        (1, 1, "reading"),
        (0, 4, "training"),
        (3, 4, "training"),
        (4, 4, "training"),
    ]
    assert terminal.getvalue() == ""
    with stage("writing"), report_to(None):
        pass
    assert len(calls) == 5


def test_a_callback_stops_the_work_by_raising() -> None:
    def stop(*ignored: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), report_to(stop), stage("reading"):
        pytest.fail("the work began")


def test_a_bar_leaves_no_semaphore_of_the_system_behind() -> None:
    """A worker of the studio is ended while it holds one, and Python's resource tracker would report that on stderr."""
    script = """
from tqdm import std
from audiogen.progress import progress
with progress(1, "work"):
    assert not isinstance(std.tqdm.get_lock(), std.TqdmDefaultWriteLock)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
