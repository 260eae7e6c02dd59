"""Chapters: the notebooks of the book, executed by papermill with checked parameters."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.experiments import EXPERIMENTS, experiment_of
from sdlib.files import atomic_path
from sdlib.paths import ROOT
from sdlib.pipeline.page_tables import keep_intervals_whole
from sdlib.results.key import READS

__all__ = ["chapters", "execute", "parameters", "reads"]

CELL_TIMEOUT = 1800  # seconds; chapters read rows, only the demonstrations compute
KERNEL_TIMEOUT = 120  # seconds; importing torch on a busy machine
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def chapters(root: Path = ROOT) -> list[Path]:
    """The notebooks of ``_toc.yml``, in its order, relative to ``root``.

    >>> [chapter.stem for chapter in chapters()][0]
    'in_ten_minutes'
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    pages = [Path(file) for file in files if not (root / f"{file}.md").exists()]
    return [page.with_suffix(".ipynb") for page in pages]


def parameters(chapter: Path) -> dict[str, Any]:
    """Names and defaults of a chapter's parameters cell, as Python reads them.

    The first cell tagged ``parameters`` counts, as for papermill; in it, every assignment.

    Raises
    ------
    DataError
        The file is not there or is not a notebook, or a default is more than a plain value.

    Examples
    --------
    >>> parameters(ROOT / "book" / "5_reckoning" / "12_environment.ipynb")
    {'profile': 'laptop', 'source': 'phantom'}
    """
    cells = _notebook(chapter)["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    if not tagged:
        return {}
    source = "".join(tagged[0]["source"])
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise DataError(f"{chapter}: the parameters cell is not Python: {error}") from error
    found: dict[str, Any] = {}
    for statement in statements:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            found |= _assigned(chapter, source, statement)
    return found


def _assigned(chapter: Path, source: str, statement: ast.Assign | ast.AnnAssign) -> dict[str, Any]:
    """The names that an assignment gives a plain value, and the value."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    try:
        if len(names) == len(targets):
            return dict.fromkeys(names, ast.literal_eval(statement.value))
    except (ValueError, TypeError):
        pass  # a call, say: refused below
    line = ast.get_source_segment(source, statement)
    raise DataError(
        f"{chapter}: expected parameters as name = plain value, "
        f"got {line!r} in line {statement.lineno} of the parameters cell"
    )


def _notebook(chapter: Path) -> dict[str, Any]:
    """A notebook file as JSON; nbformat would take seconds to import."""
    try:
        notebook = json.loads(Path(chapter).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"expected a notebook at {chapter}: {error}") from error
    try:
        if all(isinstance(part["metadata"], dict) for part in (notebook, *notebook["cells"])):
            return notebook
    except (KeyError, TypeError):
        pass
    raise DataError(f"expected a notebook at {chapter}, got JSON without cells and metadata")


def reads(chapter: Path) -> list[str]:
    """The experiments whose results a chapter shows, as its metadata declares them.

    In the notebook's metadata: ``"sdlib": {"reads": ["cutout"]}``, or ``["all"]`` for every
    experiment. The graph executes the chapter when those results are there, and
    :func:`sdlib.results.key.check_declared` refuses it any others of this machine.

    Raises
    ------
    ConfigError
        The chapter declares an experiment that there is not.
    DataError
        The file is not there or is not a notebook.

    Examples
    --------
    >>> reads(ROOT / "book" / "2_simulations" / "04_dominant_features.ipynb")
    ['cutout', 'cutout_sensitivity', 'cutout_interpolation']
    """
    declared = _notebook(chapter)["metadata"].get("sdlib", {}).get("reads", [])
    if declared == ["all"]:
        return list(EXPERIMENTS)
    return [experiment_of(name).name for name in declared]


def execute(chapter: Path, out: Path, values: Mapping[str, Any] | None = None) -> None:
    """Execute a chapter with papermill and write the result to ``out``, whole or not at all.

    The chapter runs in its own folder, as in JupyterLab. What papermill notes about this machine
    (paths, times) is left out of the copy; only values that differ from the defaults are injected.
    The copy's parameters cell has the values that were used, so that no cell contradicts another.

    Parameters
    ----------
    chapter, out : pathlib.Path
        The notebook in the book; its executed copy.
    values : mapping, optional
        Parameters by name. Text is converted to the type of the default.

    Raises
    ------
    ConfigError
        A name that the chapter does not declare, or a value of another type.
    SdlibError
        A cell failed, or the kernel died.
    """
    import nbformat
    import papermill
    from traitlets.config import Config

    chapter = Path(chapter).resolve()
    defaults = parameters(chapter)
    typed = {name: _typed(chapter, name, value, defaults) for name, value in (values or {}).items()}
    changed = {name: value for name, value in typed.items() if value != defaults[name]}
    try:
        # Sockets are files of a folder of our own. A TCP port is chosen before the kernel takes it,
        # and another process may be faster: the kernel then dies, or waits without end.
        with _declared(reads(chapter)), tempfile.TemporaryDirectory(prefix="sdlib-") as sockets:
            manager = {"transport": "ipc", "ip": os.path.join(sockets, "kernel")}
            notebook = papermill.execute_notebook(
                str(chapter),
                None,
                parameters=changed,
                cwd=str(chapter.parent),
                kernel_name="python3",
                progress_bar=False,
                start_timeout=KERNEL_TIMEOUT,
                execution_timeout=CELL_TIMEOUT,
                # Else every chapter begins with a warning about local sockets. And papermill stops
                # a kernel by an interrupt, which some kernels meet in their last message and note
                # as an error. Errors of cells do not come this way.
                extra_arguments=["--log-level=CRITICAL"],
                config=Config(KernelManager=manager),
            )
    except papermill.PapermillExecutionError as error:
        trace = ANSI.sub("", "\n".join(error.traceback))
        raise SdlibError(
            f"{chapter.stem}, cell {error.cell_index + 1} failed: "
            f"{error.ename}: {error.evalue}\n{trace}"
        ) from error
    except (RuntimeError, TimeoutError) as error:  # a dead kernel, a cell without end
        raise SdlibError(f"{chapter.stem} was not finished: {str(error).strip()}") from error
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
    for cell in notebook.cells:  # readers want the picture first, not papermill's bookkeeping
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            tags.append("remove-input")
        elif "parameters" in tags:
            cell.source = _with_values(cell.source, changed)
    keep_intervals_whole(notebook)
    with atomic_path(out) as temporary:
        nbformat.write(notebook, temporary)


def _with_values(source: str, values: Mapping[str, Any]) -> str:
    """The source of a parameters cell with other values in its assignments, comments kept.

    >>> _with_values('profile = "laptop"  # or quick', {"profile": "quick"})
    "profile = 'quick'  # or quick"
    """
    lines = source.encode().splitlines(keepends=True)  # ast counts bytes
    for statement in reversed(ast.parse(source).body):
        names = [target.id for target in _targets(statement) if target.id in values]
        if not names:
            continue
        old = statement.value
        before, after = lines[old.lineno - 1], lines[old.end_lineno - 1]
        new = before[: old.col_offset] + repr(values[names[0]]).encode()
        lines[old.lineno - 1 : old.end_lineno] = [new + after[old.end_col_offset :]]
    return b"".join(lines).decode()


def _targets(statement: ast.stmt) -> list[ast.Name]:
    """The plain names that a statement assigns to."""
    found = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return [target for target in found if isinstance(target, ast.Name)]


@contextlib.contextmanager
def _declared(experiments: list[str]) -> Iterator[None]:
    """Tell the chapter's kernel which experiments it may read this machine's results of."""
    before = os.environ.get(READS)
    os.environ[READS] = ",".join(experiments)
    try:
        yield
    finally:
        if before is None:
            del os.environ[READS]
        else:
            os.environ[READS] = before


def _typed(chapter: Path, name: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    if name not in defaults:
        known = ", ".join(defaults) or "none"
        raise ConfigError(f"{chapter.stem} has no parameter {name!r}; its parameters: {known}")
    default = defaults[name]
    if isinstance(value, str) and not isinstance(default, str):
        with contextlib.suppress(ValueError, SyntaxError):  # still text, refused below
            value = ast.literal_eval(value)
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if default is not None and type(value) is not type(default):
        expected = type(default).__name__
        raise ConfigError(
            f"{chapter.stem}: expected parameter {name} as {expected} like {default!r}, "
            f"got {value!r}"
        )
    return value
