"""The gate between executed chapters and the site: what a strict build does not notice.

``jupyter-book build -W`` accepts stored error outputs, warnings on stderr, progress bars and paths
of one machine. :func:`gate` finds them, each with its chapter and cell; :func:`offline` finds
pages that would need the network.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from PIL import Image

from sdlib.errors import DataError, SdlibError

__all__ = ["gate", "offline", "refuse"]

SKIPPED = {"_build", ".ipynb_checkpoints"}  # folders
PROGRESS = re.compile(r"\d+%\|| ?it/s\b|\bs/it\b|\r(?!\n)|FloatProgress|<progress\b")
ABSOLUTE = re.compile(
    r"(?<![\w.:/<-])/(?:home|root|Users|tmp|work|mnt|media|private|scratch|var|opt|srv|usr)/\w"
    r"|\b[A-Z]:\\\w"
)
REPR = re.compile(
    r"<[\w.]+ (?:object )?at 0x[0-9a-f]+>|<Figure size \S+ with 0 Axes>|^\[?Text\(|^\[None, None"
)
EXTERNAL = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\bsrc=["']((?:https?:)?//[^"']+)"""
    r"""|<link\b(?=[^>]*\brel=["'](?:stylesheet|preload|icon|preconnect)["'])"""
    r"""[^>]*?\bhref=["']((?:https?:)?//[^"']+)""",
    re.IGNORECASE,
)


def gate(folder: Path) -> list[str]:
    """Everything in the executed notebooks under ``folder`` that no reader should see.

    Parameters
    ----------
    folder : pathlib.Path
        Searched recursively for ``.ipynb``; build folders and checkpoints are skipped.

    Returns
    -------
    list of str
        One sentence a finding, with chapter and cell (counted from 1); empty if all is well.

    Raises
    ------
    DataError
        There is no executed chapter, or one cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> cell = nbformat.v4.new_code_cell("1 / 0", execution_count=1)
    >>> cell.outputs = [nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="")]
    >>> nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "01_sums.ipynb")
    >>> gate(folder)
    ['01_sums, cell 1: an error output (ZeroDivisionError)']
    """
    folder = Path(folder)
    chapters = [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not SKIPPED & set(path.relative_to(folder).parts)
    ]
    if not chapters:
        raise DataError(f"expected executed chapters (.ipynb) under {folder}, found none")
    found = []
    for path in chapters:
        for number, cell in enumerate(_cells(path), start=1):
            if cell.cell_type == "code":
                found += [f"{path.stem}, cell {number}: {text}" for text in _findings(cell)]
    return found


def _cells(path: Path) -> list[nbformat.NotebookNode]:
    try:
        return nbformat.read(path, as_version=4).cells
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise DataError(f"expected a notebook at {path}: {error}") from error


def _findings(cell: nbformat.NotebookNode) -> Iterator[str]:
    if cell.source.strip() and cell.execution_count is None:
        yield "was not executed"
    shown = [o for o in cell.outputs if o.output_type in ("display_data", "execute_result")]
    if "figure" in cell.metadata.get("mystnb", {}) and len(shown) != 1:
        yield f"{len(shown)} outputs under one caption: show the figure alone, text in another cell"
    for output in cell.outputs:
        if output.output_type == "error":
            yield f"an error output ({output.ename})"
            continue
        if output.output_type == "stream":
            if output.name == "stderr":
                yield f"output on stderr: {_excerpt(output.text)}"
            yield from _litter(output.text)
            continue
        # A page shows the plain text only where there is nothing richer.
        for kind, content in output.data.items():
            if kind == "image/png" and _blank(content):
                yield "an empty figure"
            elif kind.startswith("text/") and (kind != "text/plain" or len(output.data) == 1):
                yield from _litter(content)


def _litter(text: str) -> Iterator[str]:
    for pattern, what in (
        (PROGRESS, "a progress bar"),
        (ABSOLUTE, "a path of one machine"),
        (REPR, "the repr of an object"),
    ):
        if match := pattern.search(text):
            yield f"{what}: {_excerpt(text[match.start() :])}"


def _excerpt(text: str, length: int = 60) -> str:
    return " ".join(text.split())[:length]


def _blank(png: str) -> bool:
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        return all(low == high for low, high in image.convert("RGB").getextrema())


def offline(html: Path) -> list[str]:
    """Scripts, styles, images and frames that the pages under ``html`` load from elsewhere.

    Parameters
    ----------
    html : pathlib.Path
        The built site. Links that a reader follows are free to lead elsewhere.

    Returns
    -------
    list of str
        One sentence a page and address; empty if the site reads with the network off.

    Raises
    ------
    DataError
        There is no page.
    """
    pages = sorted(Path(html).rglob("*.html"))
    if not pages:
        raise DataError(f"expected pages (.html) under {html}, found none")
    found = []
    for page in pages:
        for match in EXTERNAL.finditer(page.read_text(encoding="utf-8")):
            address = match[1] or match[2]
            found.append(f"{page.relative_to(html)} loads {address}: vendor it, or switch it off")
    return found


def refuse(findings: list[str], what: str) -> None:
    """Raise one :class:`~sdlib.errors.SdlibError` that lists the findings, if there are any.

    >>> refuse([], "findings")
    """
    if findings:
        raise SdlibError("\n".join([f"{len(findings)} {what}:", *findings]))
