"""How many small changes of a module its tests notice: `make mutants MODULE=parsing/arms SAMPLE=120`.

A mutant is the module with one change: another operator or constant, a condition reversed, a value replaced by None. It
is killed where a test fails. One that survives shows a missing test, dead code, or a change without a difference.

Every mutant runs in a fork of a process that has imported all libraries but nothing of the project, on a copy of the
source, so that processes which a test starts have the change too.
"""

import argparse
import ast
import contextlib
import itertools
import operator
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

ROOT = Path(__file__).parent.parent
PAIRS: list[tuple[type[ast.AST], type[ast.AST]]] = [
    (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn),
    (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv), (ast.BitAnd, ast.BitOr),
    (ast.LShift, ast.RShift), (ast.Break, ast.Continue),
]  # fmt: skip
SWAPS = {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}
CONSTANTS: dict[type, Callable[[Any], Any]] = {bool: operator.not_, int: lambda n: n + 1, str: lambda text: f"XX{text}"}
TYPES = {"annotation", "returns", "decorator_list", "bases"}
TIME_LIMIT = 4.0  # times what the tests of the unchanged module take: longer is an endless loop


class Mutant(NamedTuple):
    """One change: what stands in a field of a node (in a list: at an index) becomes something else."""

    line: int
    node: ast.AST
    field: str
    at: int | None
    new: ast.AST

    def apply(self, tree: ast.AST) -> tuple[str, str]:
        """Return the changed source of a tree, and the first line of the node that is another one now."""
        fields: Any = vars(self.node) if self.at is None else getattr(self.node, self.field)
        place: Any = self.field if self.at is None else self.at
        old, before = fields[place], ast.unparse(self.node).split("\n")
        fields[place] = self.new
        source, after = ast.unparse(tree), ast.unparse(self.node).split("\n")
        fields[place] = old
        changed = next(pair for pair in itertools.zip_longest(before, after, fillvalue="") if pair[0] != pair[1])
        return source, "  ->  ".join(line.strip() for line in changed)


def list_mutants(node: ast.AST, line: int = 1) -> Iterator[Mutant]:
    """List all changes below a node; not those of types, docstrings and formats."""
    for field, value in ast.iter_fields(node):
        for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            text = isinstance(child, ast.Constant) and isinstance(node, ast.Expr | ast.JoinedStr)
            kind = isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"
            if field in TYPES or text or kind or not isinstance(child, ast.AST):
                continue
            here = getattr(child, "lineno", line)
            yield from (Mutant(here, node, field, at, new) for new in _change(node, field, child))
            yield from list_mutants(child, here)


def _change(node: ast.AST, field: str, child: ast.AST) -> Iterator[ast.AST]:
    if type(child) in SWAPS:
        yield SWAPS[type(child)]()
    if isinstance(child, ast.UnaryOp) and isinstance(child.op, ast.Not):
        yield child.operand
    elif field in {"test", "ifs"} and not isinstance(node, ast.While):
        yield ast.UnaryOp(ast.Not(), cast("ast.expr", child))
    if isinstance(child, ast.Constant) and type(child.value) in CONSTANTS:
        yield ast.Constant(CONSTANTS[type(child.value)](child.value))
    argument = (isinstance(node, ast.Call) and field == "args") or isinstance(node, ast.keyword)
    result = isinstance(node, ast.Return | ast.Assign | ast.AnnAssign) and field == "value" and node.col_offset > 0
    if (argument or result) and ast.unparse(child) != "None":
        yield ast.Constant(None)


def run_tests(arguments: Sequence[str], limit: float) -> bool:
    """Run tests in a fork; tell whether all pass within the limit, in seconds (0: none)."""
    pid = os.fork()
    if not pid:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        signal.setitimer(signal.ITIMER_REAL, limit)
        os._exit(pytest.main(["-xq", "-pno:cacheprovider", *arguments]))
    status = os.waitpid(pid, 0)[1]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what a test that was stopped has started
    return status == 0


def main() -> None:
    """Print the mutants that survive, and how many are killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", help="such as parsing/arms")
    parser.add_argument("--sample", type=int, default=120, help="how many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", type=shlex.split, help="arguments of pytest; else the quick tests of the folder")
    options = parser.parse_args()
    module = Path(options.module)
    folder = ROOT / "tests" / module.parent
    files = sorted(folder.glob("test_*.py"), key=lambda file: file.stem != f"test_{module.name}")  # its own first
    tests = options.tests or ["-m", "not slow", *map(str, files)]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main(["--collect-only", "-pno:cacheprovider", *tests])  # imports the libraries
    own = tuple(str(ROOT / folder) for folder in ("src", "tests", "bench"))
    for name, loaded in list(sys.modules.items()):
        if name != "__main__" and (getattr(loaded, "__file__", None) or "").startswith(own):
            del sys.modules[name]
    with tempfile.TemporaryDirectory() as copy:
        file = Path(shutil.copytree(ROOT / "src", copy, dirs_exist_ok=True), "trialscrape", f"{module}.py")
        for compiled in file.parent.glob(f"__pycache__/{file.stem}.*"):
            compiled.unlink()
        sys.dont_write_bytecode = True
        sys.path.insert(0, copy)
        os.environ |= {"PYTHONPATH": copy, "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"}
        start = time.monotonic()
        if not run_tests(tests, 0):
            sys.exit("the tests fail without any change")
        limit = TIME_LIMIT * (time.monotonic() - start)
        tree = ast.parse(file.read_text())
        mutants = list(list_mutants(tree))
        sample = random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))
        survived = 0
        for mutant in sorted(sample, key=lambda mutant: mutant.line):
            source, change = mutant.apply(tree)
            file.write_text(source)
            if run_tests(tests, limit):
                survived += 1
                print(f"{module}.py:{mutant.line}: {change}", flush=True)
    killed = len(sample) - survived
    print(f"{module}: {len(mutants)} mutants, {len(sample)} tried, {killed} killed, {survived} survived")


if __name__ == "__main__":
    main()
