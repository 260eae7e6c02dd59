"""How chapters are written: one thing per line of code, plain words in the prose.

Cells that a reader has to unfold (``hide-input``, ``hide-cell``) or cannot see (``remove-input``)
are left out. The code of a figure counts although it is folded: the lectures that the limits come
from show theirs, and without it only the code that computes would be measured.
"""

import ast
import re
from collections import Counter

import nbformat
import pytest

from sdlib.paths import ROOT
from tests.test_house import prose

LAB = ROOT / "book" / "lab"
NOTEBOOKS = [path for path in sorted((ROOT / "book").rglob("*.ipynb")) if LAB not in path.parents]

# The mean length of a visible line. In QuantEcon's "Python Programming for Economics and Finance"
# (20 lectures, 2,998 lines, commit f365972) it is 27; the two lectures with the longest lines, on
# pandas, have 40 and 42.
MAX_CHARACTERS = 42

# Syntax nodes per visible line, counted as in `syntax_nodes`. The same lectures have 5.5 on
# average, and 7.6 in the densest one. Chapters were written with 9 to 11 (04_dominant_features
# with 10.6), and readers found them hard to follow. The limit is just above QuantEcon's densest.
MAX_NODES = 8.0

# "asked": networks predict. "but for" and "a line an" stood where "except" and "per" are meant.
WORDS = re.compile(r"\b(asked|but for|a line an)\b", re.IGNORECASE)

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def visible_code(path):
    """The source of each visible code cell by the cell's name, without IPython's own commands."""
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        tags = set(cell.metadata.get("tags", []))
        draws = "figure" in cell.metadata.get("mystnb", {})
        hidden = {"hide-cell", "remove-input"} & tags or ("hide-input" in tags and not draws)
        if cell.cell_type != "code" or hidden:
            continue
        lines = cell.source.splitlines()
        found[cell.id] = "\n".join(line for line in lines if not line.startswith(("%", "!")))
    return found


def syntax_nodes(source):
    """All nodes but the module, and but Load, Store and Del, which no reader sees."""
    unseen = (ast.Module, ast.expr_context)
    return sum(not isinstance(node, unseen) for node in ast.walk(ast.parse(source)))


def lines_of(source):
    return [line for line in source.splitlines() if line.strip()]


def has_call(node):
    return any(isinstance(inner, ast.Call) for inner in ast.walk(node))


def crowded(source):
    """What packs several statements into one: (line, reason)."""
    tree = ast.parse(source)
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    for line, count in Counter(node.lineno for node in statements).items():
        if count > 1:
            yield line, "two statements"
    for node in statements:
        value = getattr(node, "value", None)
        if isinstance(node, ast.Expr) and isinstance(value, ast.IfExp):
            yield node.lineno, "a conditional expression as a statement"
        if isinstance(node, ast.Expr) and isinstance(value, ast.Tuple) and has_call(value):
            yield node.lineno, "a tuple of calls"
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Tuple)
            and isinstance(value, ast.Tuple)
            and has_call(value)
        ):
            yield node.lineno, "two assignments of what is computed"


@each_notebook
def test_visible_lines_are_short(path):
    lines = [line for source in visible_code(path).values() for line in lines_of(source)]
    assert sum(map(len, lines)) / max(len(lines), 1) <= MAX_CHARACTERS


@each_notebook
def test_visible_lines_say_one_thing(path):
    cells = visible_code(path).values()
    nodes = sum(map(syntax_nodes, cells))
    lines = sum(len(lines_of(source)) for source in cells)
    assert nodes / max(lines, 1) <= MAX_NODES


@each_notebook
def test_visible_lines_have_one_statement(path):
    found = {}
    for name, source in visible_code(path).items():
        if reasons := list(crowded(source)):
            found[name] = reasons
    assert found == {}


@each_notebook
def test_prose_has_none_of_the_words_that_readers_stumbled_over(path):
    text = " ".join(prose(path).split())
    assert [text[max(0, m.start() - 30) : m.end() + 30] for m in WORDS.finditer(text)] == []


# -- The rules themselves


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a(); b()", "two statements"),
        ("if a: b()", "two statements"),
        ("ax.set(), ax.legend()", "a tuple of calls"),
        ("table if len(table) else print()", "a conditional expression as a statement"),
        ("a, b = f(), g()", "two assignments of what is computed"),
        ("kinds, counts = kinds | dict(), {}", "two assignments of what is computed"),
    ],
)
def test_crowded_lines_are_found(source, reason):
    assert list(crowded(source)) == [(1, reason)]


@pytest.mark.parametrize(
    "source",
    [
        "plt.show();",
        "a, b = f()",
        "a, b = 1, 2",
        "name = 'x' if f() else 'y'",
        "def f():\n    return g()",
        "first, second = pair",
    ],
)
def test_plain_lines_are_left_alone(source):
    assert list(crowded(source)) == []


def test_nodes_are_those_that_a_reader_sees():
    # An assignment, its name, an operation, its sign and two operands.
    assert syntax_nodes("a = b + 1") == 6
