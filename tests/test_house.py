"""House rules: pins, notebooks as they are in git, prose, commands that exist."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest

from sdlib.paths import ROOT
from sdlib.pipeline.chapters import chapters
from sdlib.plotting import ARMS

NOTEBOOKS = sorted((ROOT / "book").rglob("*.ipynb"))
PROSE = [ROOT / "README.md", *sorted((ROOT / "book").rglob("*.md"))]
LAB = ROOT / "book" / "lab" / "shift_lab.ipynb"  # a page of widgets, which the site leaves out
CHAPTERS = [path for path in NOTEBOOKS if path != LAB]
# One figure to try, with what to try: no exercises, and not the length of a chapter.
TO_TRY = [path for path in CHAPTERS if path.parent == LAB.parent]
# The page for a reader who has ten minutes, at about 120 words of such text a minute.
# It has questions with folded answers in place of exercises, and points to the chapters for more.
SHORT = [path for path in CHAPTERS if path.stem == "in_ten_minutes"]
SHORT_WORDS, SHORT_CELLS = (900, 1300), (8, 16)
FULL = [
    path
    for path in CHAPTERS
    if not path.stem.startswith(("11_", "12_")) and path not in [*SHORT, *TO_TRY]
]
REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8")
DIRECT, RESOLVED = REQUIREMENTS.split("# -- Resolved", 1)
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([\w.]+)(\s+# .+)?$")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
each_prose = pytest.mark.parametrize("path", [*NOTEBOOKS, *PROSE], ids=lambda path: path.stem)


def cells(path, kind=None):
    found = nbformat.read(path, as_version=4).cells
    return [cell for cell in found if kind in (None, cell.cell_type)]


#: What stands in these boxes is prose; in all other fences it is code, a formula or an option.
BOXES = ("admonition", "exercise", "exercise-start", "note", "tip")
#: A box that a reader has to open.
FOLDED = re.compile(r"^(`{3,})\{admonition\}[^\n]*\n:class: [^\n]*dropdown.*?^\1$", re.S | re.M)


def prose(path, folded=True):
    """The text of a page without code, formulas, links' targets, roles and directives' options.

    Without ``folded``, boxes that a reader has to open are left out.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n\n".join(cell.source for cell in cells(path, "markdown"))
    if not folded:
        text = FOLDED.sub("", text)
    return re.sub(
        r"\$\$.*?\$\$|\$[^$]+\$|`[^`]*`|\{[\w:]+\}|\]\([^)]*\)|<[^>]*>|^:\w+:[^\n]*$",
        " ",
        without_fences(text),
        flags=re.S | re.M,
    )


def count_words(text):
    """How many words there are; a dash, a bullet or a table's line is none."""
    return sum(bool(re.search(r"\w", word)) for word in text.split())


def without_fences(text):
    """The text outside fences, and what boxes contain, with their titles."""
    kept = []
    open_fences = []  # (backticks, whether it is a box), the innermost last
    for line in text.splitlines():
        fence = re.match(r"(`{3,})(?:\{([\w-]+)\})?(.*)", line)
        if fence is None:
            if all(box for _, box in open_fences):
                kept.append(line)
            continue
        ticks, directive, rest = fence.groups()
        if open_fences and len(ticks) >= len(open_fences[-1][0]) and not directive and not rest:
            open_fences.pop()
        elif all(box for _, box in open_fences):
            box = directive in BOXES
            open_fences.append((ticks, box))
            if box:
                kept.append(rest)
    assert open_fences == [], "a fence that nothing closes"
    return "\n".join(kept)


def repository_files():
    """What git tracks or would track; every file outside ignored folders where there is no git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]
    skipped = {".venv", ".git", "outputs", ".snakemake", "__pycache__"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.parts)]


# -- Requirements


def test_every_requirement_is_an_exact_pin_and_stands_once():
    lines = [line for line in REQUIREMENTS.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not PIN.match(line)] == []
    names = [PIN.match(line)[1].lower().replace("_", "-") for line in lines]
    assert [name for name in set(names) if names.count(name) > 1] == []


def test_every_direct_requirement_has_a_reason():
    lines = [line for line in DIRECT.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not PIN.match(line)[3]] == []


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def sources():
    for folder in ("sdlib", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            yield path, path.read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        yield path, "\n".join(cell.source.rstrip(";") for cell in cells(path, "code"))


def test_whatever_is_imported_is_required_by_name():
    direct = {PIN.match(line)[1].lower() for line in DIRECT.splitlines() if PIN.match(line)}
    owners = packages_distributions()
    strangers = {
        (path.name, name)
        for path, text in sources()
        for name in imported(ast.parse(text))
        if name != "sdlib" and name not in sys.stdlib_module_names
        if not {owner.lower() for owner in owners.get(name, [name])} & direct
    }
    assert strangers == set()


# -- Files


def test_no_path_of_one_machine_is_in_the_repository():
    markers = [f"{folder}/" for folder in (ROOT.parent, Path.home()) if len(folder.parts) > 1]
    found = [
        (path.name, marker)
        for path in repository_files()
        if path.suffix not in (".png", ".npz", ".jpg")
        for marker in markers
        if marker.encode() in path.read_bytes()
    ]
    assert found == []


def test_nothing_in_the_repository_is_large():
    big = {path.name: path.stat().st_size for path in repository_files()}
    assert {name: size for name, size in big.items() if size > 5_000_000} == {}


# -- Notebooks


@each_notebook
def test_no_outputs_in_git(path):
    assert [c.id for c in cells(path, "code") if c.outputs or c.execution_count is not None] == []


def test_the_hook_before_a_commit_would_change_no_notebook():
    """It also keeps the cells' names, which nbstripout replaces by numbers unless told not to."""
    config = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    name, *options = re.search(r"entry: \.venv/bin/(nbstripout.*)", config)[1].split()
    command = [
        str(Path(sys.executable).with_name(name)),
        *options,
        "--verify",
        *map(str, NOTEBOOKS),
    ]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


@each_notebook
def test_cells_have_names_of_their_own(path):
    names = [cell.id for cell in cells(path)]
    assert len(set(names)) == len(names)
    # Editors give random ids to new cells: a name makes differences readable.
    assert [name for name in names if re.fullmatch(r"[0-9a-f]{8}", name)] == []


@each_chapter
def test_one_parameters_cell_follows_the_imports(path):
    code = cells(path, "code")
    tagged = [k for k, cell in enumerate(code) if "parameters" in cell.metadata.get("tags", [])]
    assert tagged == [1]
    assert "import" in code[0].source
    assert "profile = " in code[1].source


@each_notebook
def test_cells_are_short(path):
    lines = {cell.id: len(cell.source.splitlines()) for cell in cells(path, "code")}
    assert {name: n for name, n in lines.items() if n > 15} == {}
    assert sorted(lines.values())[len(lines) // 2] <= 10


@each_chapter
def test_a_chapter_has_its_parts(path):
    code, text = cells(path, "code"), [cell.source for cell in cells(path, "markdown")]
    assert text[0].startswith("# ")
    assert "What you will learn" in "".join(text)
    assert "results.provenance()" in code[-1].source
    exercises = set(re.findall(r"\{exercise(?:-start)?\}.*?\n:label: (\S+)", "\n".join(text)))
    solutions = set(re.findall(r"\{solution-start\} (\S+)\n:class: dropdown", "\n".join(text)))
    assert exercises == solutions
    assert len(exercises) in ((0,) if path in [*SHORT, *TO_TRY] else (2, 3))


@each_notebook
def test_figures_have_names_captions_descriptions_and_are_referred_to(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    for cell in cells(path, "code"):
        meta = cell.metadata.get("mystnb", {})
        if re.search(r"\bplt\.|show_tiles\(|cutout_pair\(", cell.source):
            assert "figure" in meta, f"{cell.id} draws without a caption"
        if "figure" in meta:
            assert len(meta["figure"]["caption"]) > 20, cell.id
            assert len(meta["image"]["alt"]) > 20, cell.id
            assert f"{{numref}}`{meta['figure']['name']}`" in text, f"{cell.id}: not referred to"


@each_notebook
def test_captions_of_what_varies_say_n_and_the_interval(path):
    """n may be a number, or where in the figure it stands; "no interval" is an answer, too."""
    found = {}
    for cell in cells(path, "code"):
        caption = cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
        varies = re.search(r"\b(seeds?|means?|intervals?|SD|networks?|trials?)\b", caption)
        if not varies or "no interval" in caption:
            continue
        spread = re.search(r"\b(intervals?|SD|spread)\b", caption)
        if not (re.search(r"\bn\b", caption) and spread):
            found[cell.id] = caption
    assert found == {}


@each_notebook
def test_what_is_folded_says_what_it_is(path):
    for cell in cells(path, "code"):
        if {"hide-cell", "hide-output"} & set(cell.metadata.get("tags", [])):
            prompts = cell.metadata.get("mystnb", {})
            assert len(prompts.get("code_prompt_show", "")) > len("Show the table"), cell.id
            assert prompts["code_prompt_hide"].startswith("Hide"), cell.id


def test_prose_is_what_stands_between_boxes_and_in_them():
    text = """one
````{admonition} two
:class: dropdown
three `code` $x$

```python
code = 1
```

four
````

five
```{math}
:label: eq-x
x = 1
```
six
````{solution-start} ex-label
:class: dropdown
````
seven
```{exercise-start} eight
:label: ex-label
```
nine"""
    box = "two :class: dropdown three `code` $x$ four"
    after = "five six seven eight :label: ex-label nine"
    assert without_fences(text).split() == f"one {box} {after}".split()
    assert without_fences(FOLDED.sub("", text)).split() == f"one {after}".split()


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_a_chapter_has_the_length_of_one(path):
    assert 1200 <= count_words(prose(path, folded=False)) <= 2300
    unfolded = [c for c in cells(path, "code") if "hide-cell" not in c.metadata.get("tags", [])]
    assert 10 <= len(unfolded) <= 22


def test_the_short_page_is_read_in_ten_minutes():
    (path,) = SHORT
    assert SHORT_WORDS[0] <= count_words(prose(path)) <= SHORT_WORDS[1]
    assert SHORT_CELLS[0] <= len(cells(path, "code")) <= SHORT_CELLS[1]
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    assert text.count("*Answer.*") >= 2


def test_the_short_page_comes_first():
    assert chapters()[0].stem == "in_ten_minutes"
    index = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    assert re.search(r"\{doc\}`[^`<]*<?([\w/]+)>?`", index)[1] == "in_ten_minutes"


def test_the_table_of_contents_lists_every_notebook_and_no_other():
    assert sorted(ROOT / chapter for chapter in chapters()) == CHAPTERS
    assert LAB in NOTEBOOKS


# -- Prose

AMERICAN = re.compile(
    r"\b(colou?red?(?<!colour)(?<!coloured)|color\w*|gray\w*|center\w*|hematoxylin|behavior\w*"
    r"|(?:normal|optim|regular|minim|maxim|general|initial|standard|recogn|summar|visual|penal)iz\w+"
    r"|analyz\w+|favor\w*|labeled|labeling|modeled|modeling|fiber\w*|license[sd]?)\b",
    re.IGNORECASE,
)


@each_prose
def test_prose_is_spelled_the_british_way(path):
    text = prose(path).replace("MIT License", "")
    assert sorted({match[0] for match in AMERICAN.finditer(text)}) == []


@each_prose
def test_commands_in_the_text_exist(path):
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    targets |= {
        t
        for line in re.findall(r"^([a-z ]+):", (ROOT / "Makefile").read_text(), re.M)
        for t in line.split()
    }
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.M)) <= targets
    variables = set(re.findall(r"^([A-Z]+) *[?=]", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\b([A-Z]{4,})=\w", text)) <= variables | {"SDLIB_DATA"}


def test_the_notation_shows_every_arm_as_figures_do():
    notation = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
    for name, style in ARMS.items():
        row = next(line for line in notation.splitlines() if line.startswith(f"| `{name}` |"))
        assert style.label in row
        assert style.colour in row
