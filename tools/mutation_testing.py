"""Mutation testing: change one position of the source and check whether the corresponding tests fail.

    python tools/mutation_testing.py --minutes 25 --seed 0 [--package evaluation] [--output survivors.txt]

A seeded random sample of mutants (arithmetic, comparison, boolean, constant, return, deleted statement) is taken from
the packages. For each, the tests of the same package that mention the module run in a fork of this process, which has
already imported the heavy libraries, with the mutant's source instead of the module's. Tests that take too long
(`MAX_TEST_SECONDS` of CPU time) or fail without a mutant are left out and reported.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("generation", "vocoders", "representation", "evaluation")
MAX_TEST_SECONDS = 20.0  # CPU seconds of a module's test files
PATIENCE = 90  # CPU seconds after which a mutant counts as hanging
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
COMPARISON = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A mutant: the source segment ``[start, stop)`` of a file and its replacement."""

    path: Path
    kind: str
    start: int
    stop: int
    text: str

    @property
    def module(self) -> str:
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    @property
    def source(self) -> str:
        before = self.path.read_text("utf-8")
        return before[: self.start] + self.text + before[self.stop :]

    def diff(self) -> str:
        name, lines = str(self.path.relative_to(ROOT)), self.path.read_text("utf-8").splitlines()
        return "\n".join(difflib.unified_diff(lines, self.source.splitlines(), name, self.kind, n=1, lineterm=""))


def mutants_of(path: Path) -> Iterator[Mutant]:
    """All mutants of a file, except in annotations, docstrings and messages."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    encoded = text.encode()

    def mutant(node: ast.AST, kind: str, replacement: str) -> Mutant:
        ends = [(node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)]  # type: ignore[attr-defined]
        first, last = (len(encoded[: starts[line - 1] + column].decode()) for line, column in ends)
        return Mutant(path, kind, first, last, replacement)

    for node in _within(tree):
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            changed = ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
            yield mutant(node, "arithmetic", f"({ast.unparse(changed)})")
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISON:
            changed = ast.Compare(node.left, [COMPARISON[type(node.ops[0])](), *node.ops[1:]], node.comparators)
            yield mutant(node, "comparison", f"({ast.unparse(changed)})")
        elif isinstance(node, ast.BoolOp):
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield mutant(node, "boolean", f"({ast.unparse(ast.BoolOp(other, node.values))})")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            yield mutant(node, "boolean", f"({ast.unparse(node.operand)})")
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield mutant(node, "constant", str(not node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            changed_value = node.value + 1 if isinstance(node.value, int) else node.value * 2 or 1.0
            yield mutant(node, "constant", repr(changed_value))
        elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
            yield mutant(node, "return", "return None")
        elif (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or isinstance(node, ast.AugAssign):
            yield mutant(node, "deleted statement", "pass")


def _within(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of executed code."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert):
                continue
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            yield node
            yield from _within(node)


class Substitute(importlib.abc.MetaPathFinder):
    """Importer that loads one module from replaced source."""

    def __init__(self, module: str, path: Path, source: str) -> None:
        self.module, self.path, self.source = module, path, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.module:
            return None
        source = self.source

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> object:
                return compile(source, self.path, "exec")

        return importlib.util.spec_from_file_location(name, self.path, loader=Loader(name, str(self.path)))


def outcome(files: list[Path], mutant: Mutant | None = None) -> tuple[str, float]:
    """Result of the test files for a mutant, and their CPU seconds."""
    child = os.fork()
    if child == 0:
        os.setsid()
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
        if mutant is not None:
            sys.meta_path.insert(0, Substitute(mutant.module, mutant.path, mutant.source))
        import pytest

        code = 1
        try:
            options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
            code = int(pytest.main([*options, *map(str, files)]))
        finally:
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    seconds = used.ru_utime + used.ru_stime
    if os.WIFSIGNALED(status):
        return ("timeout" if seconds > PATIENCE - 2 else "killed"), seconds
    return ("survived" if os.WEXITSTATUS(status) in (0, 5) else "killed"), seconds


@cache
def cost(file: Path) -> float:
    """CPU seconds of a test file without mutants; infinite if it fails."""
    found, seconds = outcome([file])
    if found != "survived" or seconds > MAX_TEST_SECONDS:
        print(f"left out: {file.relative_to(ROOT)} ({found}, {seconds:.0f} s)", flush=True)
    return seconds if found == "survived" else float("inf")


@cache
def tests_of(path: Path) -> tuple[Path, ...]:
    """The module's own test file and those of its package that mention it, up to `MAX_TEST_SECONDS` in total."""
    folder = ROOT / "tests" / path.parent.relative_to(ROOT / "audiogen").parts[0]
    parts = path.relative_to(ROOT).with_suffix("").parts
    # Names re-exported by a package of a lower layer are imported from that package.
    names = [".".join(parts), *([".".join(parts[:-1])] if len(parts) > 3 else [])]
    names += [f"from {'.'.join(parts[:-1])} import {parts[-1]}"]
    named = [file for file in sorted(folder.glob("test_*.py")) if any(n in file.read_text("utf-8") for n in names)]
    mirrored = folder / f"test_{path.stem}.py"
    chosen = [*([mirrored] if mirrored.exists() else []), *(file for file in named if file != mirrored)]
    kept: list[Path] = []
    for file in chosen:
        if sum(map(cost, kept)) + cost(file) <= MAX_TEST_SECONDS:
            kept.append(file)
    return tuple(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--skip", type=int, default=0, help="number of this seed's mutants that an earlier run has tested"
    )
    parser.add_argument("--package", action="append", help=f"of {', '.join(PACKAGES)}[all]")
    parser.add_argument("--output", type=Path, help="file for the survivors' diffs")
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    import pytest  # noqa: F401
    import scipy.ndimage
    import scipy.signal  # noqa: F401
    import torch

    torch.set_num_threads(1)
    paths = [path for name in options.package or PACKAGES for path in sorted((ROOT / "audiogen" / name).rglob("*.py"))]
    mutants = [mutant for path in paths for mutant in mutants_of(path)]
    random.Random(options.seed).shuffle(mutants)
    print(f"{len(mutants)} mutants of {len(paths)} files", flush=True)
    deadline, counts, kinds, survivors = time.monotonic() + 60 * options.minutes, Counter(), Counter(), []
    for mutant in mutants[options.skip :]:
        if time.monotonic() > deadline:
            break
        files = list(tests_of(mutant.path))
        found = outcome(files, mutant)[0] if files else "untested"
        counts[found] += 1
        kinds[mutant.kind, found] += 1
        print(f"{found:9} {mutant.kind:18} {mutant.path.relative_to(ROOT)}", flush=True)
        if found == "survived":
            survivors.append(mutant.diff())
            print(survivors[-1], flush=True)
    judged = counts["killed"] + counts["timeout"] + counts["survived"]
    print(f"{dict(counts)}: {(counts['killed'] + counts['timeout']) / max(judged, 1):.0%} of {judged} killed")
    for (kind, found), count in sorted(kinds.items()):
        print(f"{kind:18} {found:9} {count}")
    if options.output is not None:
        options.output.write_text("\n\n".join(survivors) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
