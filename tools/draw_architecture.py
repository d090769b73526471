"""Draw docs/architecture.svg: the layers of the package, from the contract that import-linter checks.

    python tools/draw_architecture.py

A row may import the rows below it, never one above; modules side by side do not import one another. The layers are
those of ``[tool.importlinter]`` in pyproject.toml, the text in a box is the first line of the module's docstring.
"""

from __future__ import annotations

import ast
import html
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
WIDTH, ROW, GAP, LINE = 1120, 46, 8, 15
CHARACTER, BOLD = 6.3, 8.0  # width of a letter at 12 px, and of a bold one at 13 px
COLUMN, NARROW = 145, 300  # where the text begins in a box, and the width of a box below which it follows the name
ROUTES = {  # which product a module belongs to, by its first name
    "sound": "#dbeafe",
    "vocoders": "#dbeafe",
    "representation": "#dbeafe",
    "tunes": "#dcfce7",
    "training": "#fef3c7",
    "data": "#fef3c7",
    "models": "#fef3c7",
    "metrics": "#fae8ff",
    "reports": "#fae8ff",
}


def layers() -> list[list[str]]:
    """The modules of each layer, the topmost first, without the leading ``audiogen.``."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(each for each in content["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    return [[name.strip().removeprefix("audiogen.") for name in row.split("|")] for row in contract["layers"]]


def summary(module: str) -> str:
    """The first line of a module's docstring."""
    path = ROOT / "audiogen" / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("`", "")


def box(module: str, x: float, y: float, width: float) -> list[str]:
    """One module: a rectangle, its name and up to two lines of what it is."""
    colour = ROUTES.get(module.split(".")[0], "#f3f4f6")
    name = module.replace("tunes.", "tunes/")
    indent = max(COLUMN if width >= NARROW else 0, round(BOLD * len(name)) + 25)
    length = int((width - indent - 5) / CHARACTER)
    lines = [""]
    for word in summary(module).split():
        if len(lines[-1]) + len(word) + 1 > length:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > 2:
        lines = [lines[0], lines[1][: length - 1] + "…"]
    parts = [f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{ROW}" rx="6" fill="{colour}" stroke="#9ca3af"/>']
    parts.append(f'<text x="{x + 10:g}" y="{y + ROW / 2 + 4:g}" font-weight="bold">{name}</text>')
    top = y + ROW / 2 + 4 - (len(lines) - 1) * LINE / 2
    for number, line in enumerate(lines):
        shown = html.escape(line)
        parts.append(
            f'<text x="{x + indent:g}" y="{top + number * LINE:g}" fill="#374151" font-size="12">{shown}</text>'
        )
    return parts


def picture() -> str:
    """The drawing as SVG."""
    rows = layers()
    height = len(rows) * (ROW + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, row in enumerate(rows):
        width = (WIDTH - GAP * (len(row) + 1)) / len(row)
        for column, module in enumerate(row):
            parts += box(module, GAP + column * (width + GAP), GAP + number * (ROW + GAP), width)
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    PICTURE.write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
