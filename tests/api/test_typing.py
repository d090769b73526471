"""What type checkers see: every public name is used in a script that `make test-wheel` checks with mypy --strict."""

from __future__ import annotations

import ast
from pathlib import Path

import audiogen

SCRIPT = Path(__file__).parents[2] / "tools" / "typed_user.py"


def test_the_checked_script_uses_every_public_name() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "audiogen"
    }
    assert used == set(audiogen.__all__)
