"""How many small changes of a module its tests notice: `make mutants MODULE=parsing/arms SAMPLE=120`.

A mutant is the module with one change: another operator or constant, a condition reversed, an argument, a returned or
an assigned value replaced by None. It is killed where a test of the module's folder fails. One that survives shows
what no test asks for, dead code, or a change that makes no difference.

Every mutant runs in a fork of a process that has imported all libraries but nothing of the project, on a copy of the
source, so that processes which a test starts have the change too.
"""

import argparse
import ast
import contextlib
import gc
import io
import itertools
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

ROOT = Path(__file__).parent.parent
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Break: ast.Continue,
    ast.Continue: ast.Break,
}  # fmt: skip
TYPES = {"annotation", "returns", "decorator_list", "bases"}
TIME_LIMIT = 4.0  # times what the tests of the unchanged module take: longer is an endless loop


class Mutant(NamedTuple):
    """One change: what stands in a field of a node (in a list: at an index) becomes something else."""

    line: int
    node: ast.AST
    field: str
    at: int | None
    new: ast.AST

    @contextlib.contextmanager
    def applied(self) -> Iterator[str]:
        """Change the tree for a while, and give the first line that is another one then."""
        fields: Any = vars(self.node) if self.at is None else getattr(self.node, self.field)
        place: Any = self.field if self.at is None else self.at
        old, before = fields[place], ast.unparse(self.node).split("\n")
        fields[place] = self.new
        after = ast.unparse(self.node).split("\n")
        changed = [pair for pair in itertools.zip_longest(before, after, fillvalue="") if pair[0] != pair[1]]
        yield "  ->  ".join(line.strip() for line in changed[0])
        fields[place] = old


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
    match child:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)):
            yield ast.Constant(f"XX{value}")
        case ast.Constant(value=bytes(value)):
            yield ast.Constant(b"XX" + value)
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


def _import_libraries(arguments: Sequence[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-pno:cacheprovider", *arguments])
    own = tuple(str(ROOT / folder) for folder in ("src", "tests", "bench"))
    for name, module in list(sys.modules.items()):
        if name != "__main__" and (getattr(module, "__file__", None) or "").startswith(own):
            del sys.modules[name]
    gc.freeze()


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
    _import_libraries(tests)
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
            with mutant.applied() as change:
                file.write_text(ast.unparse(tree))
            if run_tests(tests, limit):
                survived += 1
                print(f"{module}.py:{mutant.line}: {change}", flush=True)
    killed, count = len(sample) - survived, len(sample)
    print(f"{module}: {len(mutants)} mutants, {count} tried, {killed} killed, {survived} survived")


if __name__ == "__main__":
    main()
