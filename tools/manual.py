"""The generated pages of the manual, as a hook of mkdocs: `make docs` builds the site in site/.

Command line, configuration and API are written from the package at build time, so that they cannot be out of date.
Contributing and security are the files of the repository's root. LaTeX becomes MathML, which browsers render without a
script.
"""

from __future__ import annotations

import dataclasses
import html
import inspect
import json
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROOT_PAGES = {"contributing.md": "CONTRIBUTING.md", "security.md": "SECURITY.md"}
ENTRY = re.compile(r"^(\w+(?:, \w+)*):\s+(.*)$")


# --- command line


def cli_reference() -> str:
    """A Markdown section for each command: usage, description, options and examples."""
    import click

    from audiogen.cli import COMMANDS, cli

    parts = [
        "# Command line\n",
        "Every command takes `--quiet`, `--verbose` and `--json`; `audiogen COMMAND --help` prints what stands here.\n",
        "Exit codes: 0 done, 1 failed, 2 invalid input, 130 interrupted.\n",
    ]
    group = click.Context(cli, info_name="audiogen")
    for name in COMMANDS:
        command = cli.get_command(group, name)
        assert command is not None
        parts.append(_command(command, click.Context(command, info_name=name, parent=group)))
    return "\n".join(parts)


def _command(command: Any, context: Any) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"## {context.info_name}\n", f"```text\naudiogen {context.info_name} {usage}\n```\n"]
    lines += _blocks(command.help or "")
    for title, options in _option_groups(command, context):
        lines += [f"**{title}**\n", "| option | meaning |", "| --- | --- |"]
        lines += [f"| `{names.replace('|', chr(92) + '|')}` | {_cell(text)} |" for names, text in options]
        lines.append("")
    if command.examples:
        lines += ["**Examples**\n", "```sh", *command.examples, "```\n"]
    return "\n".join(lines)


def _option_groups(command: Any, context: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Titles and options in the order of `--help`."""
    from audiogen.cli.command import GENERAL, GROUPS

    groups: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if parameter.param_type_name == "option" else None
        if record is not None:
            groups[getattr(parameter, "group", GENERAL)].append(record)
    yield from ((title, options) for title, options in groups.items() if options)


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs of a help text; those that follow ``\\b`` keep their lines, as code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield f"```text\n{inspect.cleandoc(paragraph[1:].strip(chr(10)))}\n```\n"
        else:
            yield _prose(paragraph.replace("\n", " ")) + "\n"


# --- configuration


def configuration_reference() -> str:
    """Every key of an Experiment with its type, range, default and meaning, and the shipped configurations."""
    from audiogen.config.shipped import shipped_configs, summary
    from audiogen.experiment import Experiment

    parts = [
        "# Configuration\n",
        "A configuration is a YAML file that says what differs from [`configs/base.yaml`](#shipped-configurations) or"
        " from the file that its `base:` names. Any key can be overridden on the command line, for example"
        " `training.steps=2000` or `model.head=mixture`. Unknown keys and values out of range are refused with the list"
        " of choices. Where a key chooses a **kind**, the options of that kind stand beside it:\n",
        "```yaml\nbase: ../base.yaml\nmodel:\n  backbone: {kind: gru, hidden: 128}\n  head: {kind: mixture}\n```\n",
    ]
    parts += _options_sections(Experiment, Experiment(), "", 2)
    parts += ["## Shipped configurations\n", "`audiogen configs NAME` prints one with every key.\n"]
    parts += ["| name | what it sets |", "| --- | --- |"]
    parts += [f"| `{name}` | {_cell(summary(path))} |" for name, path in shipped_configs().items()]
    return "\n".join(parts) + "\n"


def _options_sections(options: type, default: Any, prefix: str, depth: int) -> Iterator[str]:
    """Sections of a dataclass: a table of its plain keys, then a section for each nested one and each kind."""
    described = arguments_of(options)
    rows, nested = [], []
    for field in dataclasses.fields(options):
        key = f"{prefix}{field.name}"
        value = getattr(default, field.name)
        if "table" in field.metadata:
            nested.append((key, field.metadata["table"], value))
            rows.append((key, "kind", value.kind, described.get(field.name, "")))
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            nested.append((key, None, value))
        else:
            hint = typing.get_type_hints(options, include_extras=True)[field.name]
            rows.append((key, _type_of(hint), value, described.get(field.name, "")))
    if rows:
        yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
        for key, kind, value, text in rows:
            yield f"| `{key}` | {_cell(kind)} | `{_yaml(value)}` | {_cell(text)} |"
        yield ""
    for key, table, value in nested:
        if table is None:
            yield f"{'#' * depth} `{key}`\n"
            yield f"{_prose(first_line(type(value)))}\n"
            yield from _options_sections(type(value), value, f"{key}.", min(depth + 1, 6))
            continue
        yield f"{'#' * depth} `{key}.kind`\n"
        yield f"One of {', '.join(f'`{kind}`' for kind in table)}.\n"
        for kind in table:
            yield f"{'#' * min(depth + 1, 6)} `{key}.kind={kind}`\n"
            yield f"{_prose(first_line(table[kind]))}\n"
            chosen = value.options if kind == value.kind else table[kind].Options()
            yield from _options_sections(table[kind].Options, chosen, f"{key}.", min(depth + 2, 6))


def arguments_of(cls: type) -> dict[str, str]:
    """Name -> description, of the ``Args:`` of a class's docstring."""
    lines = inspect.cleandoc(cls.__doc__ or "").splitlines()
    if "Args:" not in lines:
        return {}
    body = [line for line in lines[lines.index("Args:") + 1 :] if line.strip()]
    indent = min((len(line) - len(line.lstrip()) for line in body[:1]), default=0)
    found: dict[str, str] = {}
    names: list[str] = []
    for line in body:
        at, text = len(line) - len(line.lstrip()), line.strip()
        entry = ENTRY.match(text) if at == indent else None
        if entry:
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        elif at <= indent:  # another section
            break
        else:
            found |= {name: f"{found[name]} {text}" for name in names}
    return found


def first_line(cls: type) -> str:
    """The first paragraph of a class's docstring, in one line."""
    text = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    return "" if text.startswith("Args:") else " ".join(text.split())


def _type_of(hint: Any) -> str:
    from pydantic import TypeAdapter

    return _type_in_words(TypeAdapter(hint).json_schema())


def _type_in_words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type_in_words(each) for each in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = [f"≥ {low:,}"] if low is not None else []
    bounds += [f"> {schema['exclusiveMinimum']:,}"] if "exclusiveMinimum" in schema else []
    bounds += [f"≤ {high:,}"] if high is not None else []
    bounds += [f"< {schema['exclusiveMaximum']:,}"] if "exclusiveMaximum" in schema else []
    return " ".join([str(schema.get("type", "any")), ", ".join(bounds)]).strip()


def _yaml(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        value = getattr(value, "kind", value)
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value) or "''"


# --- API


def api_reference() -> str:
    """A section for each public name of the package, for mkdocstrings."""
    import audiogen

    parts = ["# Python API\n", f"{_prose(inspect.getdoc(audiogen) or '')}\n"]
    for name in audiogen.__all__:
        if name.startswith("__"):
            continue
        parts.append(f"::: {audiogen._HOMES[name]}.{name}\n    options:\n      heading_level: 2\n")
    return "\n".join(parts)


# --- text


def _cell(text: str) -> str:
    return _prose(text.replace("\n", " ")).replace("|", "\\|")


def _prose(text: str) -> str:
    """reStructuredText's double backticks as Markdown's; angle brackets outside of code as text."""
    pieces = text.replace("``", "`").split("`")
    return "`".join(piece if index % 2 else piece.replace("<", "&lt;") for index, piece in enumerate(pieces))


GENERATED = {
    "reference/cli.md": cli_reference,
    "reference/configuration.md": configuration_reference,
    "reference/api.md": api_reference,
}


def root_page(name: str) -> str:
    """A file of the repository's root, its links as they read from docs/."""
    return (ROOT / name).read_text("utf-8").replace("](docs/", "](")


# --- hooks of mkdocs


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that no file holds, or only a stub for readers of the repository."""
    from mkdocs.structure.files import File

    pages = {name: write() for name, write in GENERATED.items()}
    pages |= {name: root_page(source) for name, source in ROOT_PAGES.items()}
    for name, content in pages.items():
        if (stub := files.get_file_from_path(name)) is not None:
            files.remove(stub)
        files.append(File.generated(config, name, content=content))
    return files


MATH = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **ignored: Any) -> str:
    """LaTeX, as pymdownx.arithmatex marks it, to MathML."""
    return MATH.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    latex = html.unescape(found[3]).strip()
    markup = convert(latex, display="inline" if found[2] == "(" else "block")
    if "\\" in markup:
        raise ValueError(f"a LaTeX command without a counterpart in MathML: {latex}")
    return markup
