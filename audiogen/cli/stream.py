"""`audiogen stream`: an endless continuation in real time."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from audiogen.cli.command import MODEL, OUTPUT, SOUND, Command, option, print_summary
from audiogen.cli.file_arguments import PIPE, from_stdin
from audiogen.cli.options import (
    EXTERNAL,
    FILE,
    FORCE,
    RUN,
    SEED,
    VOCODER,
    Duration,
    control_options,
    refuse_to_overwrite,
    require_extra,
    require_input,
    require_output,
    temperature_option,
)
from audiogen.errors import InputError
from audiogen.jobs.request import Request
from audiogen.progress import stage, write_line

if TYPE_CHECKING:
    from audiogen.audio import Recording
    from audiogen.jobs.live_stream import LiveStream
    from audiogen.jobs.live_take import Part
    from audiogen.jobs.prepare_tail import PreparedTail
    from audiogen.sound.live_settings import Change

FORMATS = ("wav", "wav-f32", "s16", "f32")


class Source(NamedTuple):
    """What is streamed.

    Args:
        prompt: file of a recording.
        part: of it that is continued.
        morph: recording that the stream can morph into.
        run: folder of the Run that predicts.
        allow_external_weights: of it.
        is_piped: whether the recording came through stdin, into a temporary file.
    """

    prompt: Path
    part: Part
    morph: Path | None
    run: Path | None
    allow_external_weights: bool
    is_piped: bool


@click.command(
    cls=Command,
    examples=(
        "audiogen stream rain.wav --play",
        "audiogen stream rain.wav | aplay",
        "curl -s https://example.org/rain.ogg | audiogen stream - --play",
        "audiogen stream rain.wav --format f32 | ffmpeg -f f32le -ar 48000 -ac 2 -i - rain.opus",
        "audiogen stream rain.wav --replay take.json -o again.wav",
    ),
)
@click.argument("prompt", type=FILE)
@option(
    "--format",
    "kind",
    group=OUTPUT,
    type=click.Choice(FORMATS),
    default="wav",
    help="Of stdout: a WAV of unstated length, 16 bit or float, or the bare samples, little-endian.",
)
@option("--play", group=OUTPUT, is_flag=True, help="Play on a sound device instead. Needs the extra `play`.")
@option("--sound-device", group=OUTPUT, metavar="NAME", help="Play on this one: its number, or a part of its name.")
@option(
    "--realtime", group=OUTPUT, is_flag=True, help="Write no faster than it plays, instead of as fast as it is read."
)
@option(
    "--preroll",
    group=OUTPUT,
    type=Duration(min=0),
    default=2.0,
    help="Seconds that are made before playing begins, with --play or --realtime.",
)
@option("--from", "start", group=OUTPUT, type=Duration(min=0), help="Continue only what follows this time of PROMPT.")
@option("--to", "stop", group=OUTPUT, type=Duration(min=0), help="Continue only what precedes this time of PROMPT.")
@option("--seconds", group=OUTPUT, type=Duration(min=0, min_open=True), help="End after this long.  [default: endless]")
@option("--replay", group=OUTPUT, type=FILE, metavar="TAKE.json", help="Make a kept part again, from its sidecar.")
@option("-o", "--output", "out", group=OUTPUT, type=FILE, help="WAV file to write it to, with --replay.")
@SEED
@temperature_option()
@control_options
@option("--morph", group=SOUND, type=FILE, help="Recording towards whose texture the handle `morph` leads, 0 to 1.")
@option("--pulse/--no-pulse", group=SOUND, default=Request.pulse, help="Keep time where the recording has a pulse.")
@option("--keep-edges", group=SOUND, is_flag=True, help="Continue after a fade or silence at the end.")
@option("--ambience", group=SOUND, is_flag=True, help="Stream the ambience of PROMPT, without speech and other events.")
@VOCODER
@option("--run", "run_folder", group=MODEL, type=RUN, help="Use this trained Run.")
@EXTERNAL
@FORCE
def stream(
    prompt: Path,
    kind: str,
    play: bool,
    sound_device: str | None,
    realtime: bool,
    preroll: float,
    start: float | None,
    stop: float | None,
    seconds: float | None,
    replay: Path | None,
    out: Path | None,
    morph: Path | None,
    run_folder: Path | None,
    allow_external_weights: bool,
    force: bool,
    **options: Any,
) -> None:
    """Continue PROMPT without end, in real time: to stdout, or on a sound device.

    It is the tail that `audiogen continue` writes with the same seed and settings, as long as no handle is moved.
    Handles move by JSON lines on stdin while it plays:

    \b
    {"temperature": 1.4}                {"level": -6, "brightness": 1}
    {"density": 2}                      {"freeze": true}
    {"reseed": 7}                       {"morph": 0.5}
    {"keep": 20, "to": "take.wav"}      {"stop": true}

    Each change is reported on stderr with the sample at which it takes effect. "keep" writes the last seconds as a
    WAV of floats, with a sidecar from which --replay makes the same bytes again. PROMPT may be -: stdin holds the
    recording then, and no handles.

    Exit code: 0 when the reader closes its end, after "stop" and --seconds; 130 after Ctrl-C.
    """
    play, part = play or sound_device is not None, (start, stop)
    require_input(None if prompt == PIPE else prompt, replay, morph)
    if out is not None and replay is None:
        cure = "leave it out, and redirect stdout (> OUT.wav) or pipe it; -o names what --replay TAKE.json makes again"
        raise InputError(f"-o {out}", "a stream goes to stdout, or with --play to a sound device", cure)
    if replay is not None and out is None:
        raise InputError("--replay", "it needs a file to write", "add -o OUT.wav")
    if play:
        require_extra("play", "--play")
    elif replay is None and sys.stdout.isatty():
        raise InputError("stdout", "it is a terminal", "add --play, or pipe it into a player: | aplay")
    with from_stdin(prompt) as file:
        source = Source(file, part, morph, run_folder, allow_external_weights, is_piped=prompt == PIPE)
        if out is not None and replay is not None:
            require_output(out, file, replay)
            refuse_to_overwrite(out, force=force)
            _replay(source, replay, out)
        else:
            to = None if not play else sound_device or ""
            _stream(source, Request(**options), kind, to, preroll, realtime and not play, seconds)


def _stream(
    source: Source,
    request: Request,
    kind: str,
    sound_device: str | None,
    preroll: float,
    realtime: bool,
    seconds: float | None,
) -> None:
    """Stream a prompt to a sound device ("" for the default one), or to stdout if that is None."""
    recording, prepared = _prepare(source, request)

    from audiogen.audio.pcm_stream import PcmEncoder
    from audiogen.jobs.live_commands import Commands
    from audiogen.jobs.live_output import Device, FileOutput, Output
    from audiogen.jobs.live_stream import LiveStream
    from audiogen.jobs.live_take import TakeWriter, engine_of, settings_of

    output: Output
    device: Device | None = None
    writer = TakeWriter(recording, request, source.run, source.morph, source.part, source.is_piped)
    with LiveStream(engine_of(prepared), settings_of(request), on_change=_report(recording.sample_rate)) as live:
        commands = Commands(live, writer, _warn, _report_kept)
        if not source.is_piped and _may_read_stdin():
            threading.Thread(target=commands.read, args=(sys.stdin,), daemon=True).start()
        if sound_device is not None or realtime:
            with stage("preroll"):
                live.wait(preroll)
        try:
            if sound_device is not None:
                output = device = Device(live.sample_rate, live.channels, sound_device or None)
            else:
                encoder = PcmEncoder(kind, live.sample_rate, live.channels, recording.layout, request.seed)
                output = FileOutput(sys.stdout.buffer, encoder)
            _run(live, output, seconds, realtime)
            if device is not None and device.gaps:
                times = "once" if device.gaps == 1 else f"{device.gaps} times"
                _warn(f"the sound device ran out of samples {times}: the machine was too busy to make them in time")
        except BrokenPipeError:  # the reader has had enough
            with suppress(OSError):  # or Python complains as it closes stdout
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(live: LiveStream, output: Any, seconds: float | None, realtime: bool) -> None:
    """Write the stream until it ends, or for some seconds."""
    from audiogen.jobs.live_output import paced

    left = None if seconds is None else round(seconds * live.sample_rate)

    def blocks() -> Any:
        nonlocal left
        for block in live.blocks():
            yield block if left is None else block[:, :left]
            if left is not None and (left := left - block.shape[1]) <= 0:
                return

    paced(blocks(), output.write, live.sample_rate, realtime)
    output.close()


def _prepare(
    source: Source,
    request: Request,
) -> tuple[Recording, PreparedTail]:
    with stage("loading libraries"):
        from audiogen.jobs.continue_sound import MorphTarget, read_prompt
        from audiogen.jobs.prepare_tail import prepare_tails
        from audiogen.sound.run_mixture import open_runs

    recording, _ = read_prompt(source.prompt, *source.part)
    target = MorphTarget(read_prompt(source.morph)[0]) if source.morph is not None else None
    run = open_runs((source.run,), (), source.allow_external_weights) if source.run is not None else None
    return recording, prepare_tails(recording, [request], target, run).tail(request)


def _replay(
    source: Source,
    replay: Path,
    out: Path,
) -> None:
    """Make a kept part again."""
    with stage("loading libraries"):
        from audiogen.jobs.live_take import WHOLE, Take, engine_of

    take = Take.read(replay)
    part = take.part if source.part == WHOLE else source.part
    source = source._replace(run=source.run or take.run, morph=source.morph or take.morph, part=part)
    recording, prepared = _prepare(source, take.request)
    with stage(f"making {out.name} again"):
        take.render(out, recording, engine_of(prepared))
    print_summary(f"{out}: {(take.stop - take.start) / recording.sample_rate:.2f} s, made again from {replay.name}")


def _may_read_stdin() -> bool:
    """Whether stdin can be read: a terminal stops processes in the background that do."""
    try:
        return not sys.stdin.isatty() or os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # no stdin, or Windows
        return sys.stdin is not None and os.name == "nt"


def _report(sample_rate: int) -> Any:
    def report(change: Change) -> None:
        values = ", ".join(f"{name} {value}" for name, value in change.handles.items())
        _say(f"audiogen: change: {values} from sample {change.position} on ({change.position / sample_rate:.2f} s)")

    return report


def _report_kept(wav: Path, sidecar: Path) -> None:
    _say(f"audiogen: kept: {wav}, and {sidecar.name}")


def _warn(text: str) -> None:
    write_line(f"audiogen: warning: {text}")


def _say(text: str) -> None:
    from audiogen.progress import verbosity

    if not verbosity.quiet:
        write_line(text)
