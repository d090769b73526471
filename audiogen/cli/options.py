"""Options and arguments that several commands share, and the checks of their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audiogen.cli.command import MODEL, OUTPUT, SOUND, combine, option
from audiogen.config.shipped import find_config, shipped_configs, shipped_vocoder_kinds
from audiogen.durations import seconds_of
from audiogen.errors import InputError
from audiogen.file_names import require_name
from audiogen.jobs.request import Request
from audiogen.output_names import MAX_ON_PAGE, page_of, require_names, require_own_sidecar
from audiogen.sound.limits import MAX_SEED

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Number(click.FloatRange):
    """A finite number in a range: `click.FloatRange` accepts NaN and infinity."""

    name = "number"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        number = float(super().convert(value, parameter, context))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", parameter, context)
        return number


class Duration(Number):
    """A length of time in a range: seconds, or text that `audiogen.durations.seconds_of` reads."""

    name = "time"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        try:
            return super().convert(seconds_of(str(value)), parameter, context)
        except ValueError as error:
            self.fail(f"{error}, not {value!r}.", parameter, context)


class Suggestion(click.ParamType):
    """Free text for which the shell completes some usual values; the command checks it.

    Args:
        name: metavariable in the help text.
        values: returns the usual values; called only for completion.
    """

    def __init__(self, name: str, values: Callable[[], Iterable[str]]) -> None:
        self.name, self._values = name, values

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(value) for value in self._values() if value.lower().startswith(incomplete.lower())]


def _vocoder_kinds() -> Iterable[str]:
    from audiogen.config.known_keys import vocoder_kinds

    return vocoder_kinds()


def _subtypes() -> Iterable[str]:
    from audiogen.audio import CONTAINERS

    return dict.fromkeys(subtype for _, subtypes in CONTAINERS.values() for subtype in subtypes)


class RunFolder(click.Path):
    """The folder of a Run; the shell completes folders."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)
        self.name = "run"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="dir")]


class ConfigName(click.ParamType):
    """The name of a shipped configuration, or a YAML file, as text; the shell completes both."""

    name = "config"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        files = [CompletionItem(incomplete, type="file")]
        return files + [CompletionItem(name) for name in shipped_configs() if name.startswith(incomplete)]


class ConfigFile(ConfigName):
    """The path of a YAML file: the given one, or that of the shipped configuration of that name."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Path:
        return find_config(value)


FILE, RUN = click.Path(path_type=Path), RunFolder()
CONFIG_NAME, CONFIG = ConfigName(), ConfigFile()
VOCODER_KIND = Suggestion("kind", _vocoder_kinds)
VOCODER_HELP = f"Vocoder to render with: {', '.join(shipped_vocoder_kinds())}."

DEVICE = option(
    "--device", group=MODEL, type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Compute device."
)
FORCE = option("--force", group=OUTPUT, is_flag=True, help="Overwrite files.")
TRAINING_BUDGET = option(
    "--budget",
    group=MODEL,
    type=Duration(min=0, min_open=True),
    help="Training time limit: 90, 2:30, 1:00:00.  [default: none; training stops by itself]",
)
BUDGET = option(
    "--budget",
    group=MODEL,
    type=Duration(min=0),
    help="Train on the recording for at most this long: 90, 2:30, ...; 0 for no training.  [default: 0]",
)
ADAPT = option(
    "--adapt", group=MODEL, is_flag=True, help="Train on the recording first, until the training stops by itself."
)
NO_CACHE = option(
    "--no-cache",
    "cache",
    group=MODEL,
    is_flag=True,
    flag_value=False,
    default=True,
    show_default=False,
    help="Neither look for models trained before nor keep new ones.",
)
SECONDS = option(
    "--seconds",
    group=OUTPUT,
    type=Duration(min=0, min_open=True),
    default=Request.seconds,
    help="Length of the new part in seconds, above 0, or as 4:00.",
)
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
SEED = option(
    "--seed",
    group=OUTPUT,
    type=click.IntRange(0, MAX_SEED),
    default=Request.seed,
    help="Random seed, 0 to 2^63 - 1; the same seed and settings give the same bytes.",
)
SUBTYPE = option(
    "--subtype",
    group=OUTPUT,
    type=Suggestion("format", _subtypes),
    help="Sample format: PCM_16, PCM_24, FLOAT, ...  [default: one that keeps the samples of the input]",
)
METADATA = option(
    "--metadata/--no-metadata",
    group=OUTPUT,
    default=Request.metadata,
    help="Keep the recording's metadata as far as they still hold, and mark the join.",
)
VOCODER = option("--vocoder", group=SOUND, type=VOCODER_KIND, help=f"{VOCODER_HELP}  [default: the Run's]")
EXTERNAL = option(
    "--allow-external-weights",
    group=MODEL,
    is_flag=True,
    help="Allow a Run to read, or download, weights from outside its folder.",
)


def temperature_option(and_midi: str = "") -> Callable[[Any], Any]:
    """``--temperature`` of a tail; ``and_midi`` is what it means for MIDI files, where a command takes them."""
    return option(
        "--temperature",
        group=SOUND,
        type=float,
        default=Request.temperature,
        metavar="T",
        help="Variability relative to the recording, 0 to 10: 0 steady, 1 as recorded, 2 twice the level variance."
        + and_midi,
    )


control_options = combine(
    (
        option(
            "--level",
            group=SOUND,
            type=float,
            default=Request.level,
            help="Level in dB relative to the prompt, -40 to 40, reached after 3 s.",
        ),
        option(
            "--brightness",
            group=SOUND,
            type=float,
            default=Request.brightness,
            help="Spectral tilt in dB per octave, -6 to 6, reached after 3 s.",
        ),
        option(
            "--density",
            group=SOUND,
            type=float,
            default=Request.density,
            help="Events per second as a multiple of the recording's, 0.1 to 10: 2 is twice as many.",
        ),
    )
)
"""Options for level, brightness and density: see `audiogen.sound.controls.Controls`."""


def refuse_to_overwrite(*paths: Path, force: bool) -> None:
    """Raise an InputError for the first path that exists, unless ``force`` is set; after all other checks."""
    for path in paths:
        if path.exists() and not force:
            raise InputError(path, "it exists already", "use --force to overwrite it, or name another")


def output_paths(out: Path, *inputs: Path | None, names: Callable[[], list[Path]] | None = None) -> list[Path]:
    """The files to write: ``out``, or those that ``names`` makes of it.

    Raises:
        InputError: one of them is one of ``inputs``, cannot be created, or would take the sidecar of another.
    """
    outs = names() if names is not None and out.name else [out]
    require_names(*(path for path in outs if path.name))
    for path in outs:
        require_output(path, *inputs)
    require_own_sidecar(*(path for path in outs if path.name))
    return outs


def page_path(out: Path, *inputs: Path | None, variations: int) -> Path:
    """The HTML page to write about ``out`` and its variations.

    Raises:
        InputError: it is one of ``inputs``, cannot be created, or would hold too many variations.
    """
    if variations > MAX_ON_PAGE:
        cause = f"{variations} variations are too many for one page"
        raise InputError("--page", cause, f"choose at most {MAX_ON_PAGE}")
    page = page_of(out)
    require_name(page)
    require_output(page, *inputs)
    return page


def require_extra(extra: str, subject: str) -> None:
    """Raise an InputError if ``subject`` needs an extra that is not installed."""
    from audiogen.extras import MODULES, install_command, is_installed

    if not is_installed(extra):
        raise InputError(subject, f"{MODULES[extra]} is not installed", install_command(extra))


def require_input(*paths: Path | None) -> None:
    """Raise an InputError for the first file that does not exist, before the libraries that would read it load."""
    for path in paths:
        if path is not None and not path.exists():
            raise InputError(path, "there is no such file", "check the name")
        if path is not None and path.is_dir():
            raise InputError(path, "it is a folder", "name one file in it")
        if path is not None and path.suffix.lower() == ".abc":
            raise InputError(path, "only `train` and `compare` read ABC notation", "convert it, as by `abc2midi`")


def require_output(out: Path, *inputs: Path | None) -> None:
    """Raise an InputError if a file cannot be written, or is one of ``inputs``."""
    if out.name:
        require_name(out)
    if out.is_dir():
        raise InputError(out, "it is a folder", "name a file in it")
    if not out.parent.is_dir():
        raise InputError(out, "its folder does not exist", f"create {out.parent} first")
    for path in inputs:
        if path is not None and out.exists() and path.exists() and out.samefile(path):
            raise InputError(out, "it is an input, and would be overwritten", "name another file")
