"""`audiogen continue` on several prompts into a folder, and through pipes: `audiogen continue - -o -`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import click

from audiogen.cli.command import JSON, QUIET, RESULT, set_json_result
from audiogen.cli.file_arguments import PIPE, called, expanded, spooled
from audiogen.cli.interruption import was_interrupted
from audiogen.cli.messages import failure_of
from audiogen.errors import InputError
from audiogen.file_names import is_midi
from audiogen.output_names import sidecar_of


class Arguments(NamedTuple):
    """What the arguments of a command name.

    Args:
        prompts: each once, in order.
        overrides: KEY=VALUE each.
        several: whether they are meant for a folder: several prompts, a pattern even if one file matches it, or a
            prompt that is named twice.
    """

    prompts: list[Path]
    overrides: tuple[str, ...]
    several: bool


def prompts_among(prompt: Path, others: tuple[str, ...]) -> Arguments:
    """Divide arguments into prompts and KEY=VALUE; patterns that the shell has left alone are expanded.

    Raises:
        InputError: a pattern that nothing matches.
    """
    named = [prompt, *(Path(other) for other in others if "=" not in other or Path(other).is_file())]
    overrides = tuple(other for other in others if Path(other) not in named[1:])
    prompts = expanded(named)
    return Arguments(prompts, overrides, several=prompts != named or len(prompts) > 1)


def outputs_in(folder: Path, prompts: list[Path]) -> dict[Path, Path]:
    """The output of each prompt: FOLDER/rain.wav for rain.flac, FOLDER/rain-flac.wav if rain.wav is continued, too.

    Raises:
        InputError: two of them would be the same, or the folder is a file or stdout.
    """
    if folder == PIPE:
        raise InputError("-o -", f"stdout holds one recording, not {len(prompts)}", "name a folder")
    if folder.suffix and not folder.is_dir():
        raise InputError(folder, f"{len(prompts)} prompts need a folder", f"name one, such as -o {folder.stem}")
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "it is a file", "name a folder")
    stems = [path.stem for path in prompts]
    outputs: dict[Path, Path] = {}
    for path in prompts:
        twin = f"-{path.suffix[1:].lower()}" if stems.count(path.stem) > 1 and path.suffix else ""
        out = folder / f"{path.stem}{twin}{'.mid' if is_midi(path) else '.wav'}"
        if out in outputs.values():
            raise InputError(path, f"another prompt is continued as {out} already", "continue it by itself")
        outputs[path] = out
    return outputs


def continue_each(context: click.Context, prompts: list[Path], overrides: tuple[str, ...], folder: Path) -> None:
    """Continue each prompt into a folder; one that fails is reported, and does not lose the others.

    Ends with exit code 1 if some have failed; if all have, with that of the last failure.
    """
    if PIPE in prompts:
        raise InputError("-", "stdin can be the only prompt alone", "leave out the others")
    outputs = outputs_in(folder, prompts)
    folder.mkdir(parents=True, exist_ok=True)
    results: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    code = 0
    for prompt, out in outputs.items():
        try:
            _again(context, prompt=prompt, overrides=overrides, out=out)
        except Exception as error:
            if was_interrupted(error):
                raise
            failure = failure_of(error)
            failure.print()
            failed.append({"prompt": prompt, **failure.as_json()["error"]})
            code = failure.code
        else:
            results.extend(context.meta.get(RESULT, {}).get("outputs", []))
    set_json_result({"outputs": results, "failed": failed})
    if failed:
        context.exit(1 if len(failed) < len(outputs) else code)


def continue_through_pipes(context: click.Context, prompt: Path, out: Path, overrides: tuple[str, ...]) -> None:
    """Continue the recording on stdin, or onto stdout, by temporary files: both are read and written whole.

    Raises:
        InputError: stdin is empty, or an option needs more than one file.
    """
    if out == PIPE:
        _require_one_output(context)
        context.meta[QUIET] = True  # stdout holds the recording
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        given = spooled(Path(folder)) if prompt == PIPE else prompt
        written = Path(folder) / f"stdout{'.mid' if is_midi(given) else '.wav'}" if out == PIPE else out
        with called(given, "stdin") if prompt == PIPE else called(written, "stdout"):
            _again(context, prompt=given, overrides=overrides, out=written)
        if out == PIPE:
            with written.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        for result in context.meta.get(RESULT, {}).get("outputs", []):
            sidecar = sidecar_of(Path(result["output"]))
            sidecar.write_text(sidecar.read_text("utf-8").replace(str(given), "-"), "utf-8")


def _again(context: click.Context, **changed: Any) -> None:
    """Run the command with some other arguments."""
    callback = context.command.callback
    assert callback is not None
    context.invoke(callback, **{**context.params, **changed})


def _require_one_output(context: click.Context) -> None:
    usual = {"variations": 1, "loop_lengths": (), "as_set": False, "with_page": False, "template": None, "ucs": False}
    for name, value in usual.items():
        if context.params.get(name, value) != value:
            flag = {"as_set": "set", "with_page": "page"}.get(name, name.replace("_", "-"))
            raise InputError(f"--{flag}", "stdout holds one recording", "name a file with -o")
    if context.meta[JSON]:
        raise InputError("--json", "stdout holds the recording", "name a file with -o")
    if sys.stdout.isatty():
        raise InputError("-o -", "stdout is a terminal", "pipe it into a program or a file")
