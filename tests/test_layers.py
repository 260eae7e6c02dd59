"""Imports run downward only, from pages and commands to errors and paths; there is no circle."""

import ast
from pathlib import Path

import pytest

from sdlib.paths import ROOT

#: From the ground up; modules of one line know nothing of those of a later one.
LAYERS = (
    ("errors", "paths", "markdown", "compiling"),
    ("files", "checks"),
    ("theory",),
    ("losses", "models", "metrics"),
    ("cutouts", "stain"),
    ("shifts",),
    ("augment",),
    ("phantoms",),
    ("slides", "films"),
    ("datasets",),
    ("experiments",),
    ("results",),
    ("training",),
    ("plotting",),
    ("report",),
    ("lab",),
    ("pipeline",),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FILES = sorted((ROOT / "sdlib").rglob("*.py"))


def part(module):
    """The package or module directly under sdlib; empty for sdlib itself."""
    return module.split(".")[1] if "." in module else ""


def imports(path):
    """Modules of sdlib that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "sdlib":
            yield from (f"sdlib.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sdlib."):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("sdlib."))


def own(path):
    relative = path.relative_to(ROOT / "sdlib")
    return relative.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_from_above(path):
    mine = own(path)
    if mine == "__init__":
        return
    above = {
        module
        for module in imports(path)
        if part(module) in RANK and part(module) != mine and RANK[part(module)] >= RANK[mine]
    }
    assert above == set()


def test_every_module_has_a_layer():
    assert {own(path) for path in FILES} - {"__init__"} == set(RANK)


def test_there_is_no_circle_within_a_package():
    modules = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in FILES}
    graph = {name: {m for m in imports(path) if m in modules} for name, path in modules.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_files_are_readable_in_one_sitting():
    lines = {str(path.relative_to(ROOT)): code_lines(path) for path in FILES}
    assert {name: n for name, n in lines.items() if n > 250} == {}


def code_lines(path: Path) -> int:
    """Lines without docstrings, which are half of some files."""
    text = path.read_text(encoding="utf-8")
    docstrings = 0
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            docstrings += node.body[0].end_lineno - node.body[0].lineno + 1
    return len(text.splitlines()) - docstrings
