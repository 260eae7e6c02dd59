"""The site: staged beside the executed chapters, built strictly, shown to the reader."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

from sdlib.errors import SdlibError
from sdlib.files import obstacle
from sdlib.paths import ROOT, outputs_folder

__all__ = ["build", "first_page", "show", "site_folder", "stage"]


def site_folder() -> Path:
    """The staging copy of the book: ``outputs/site``."""
    return outputs_folder() / "site"


def first_page() -> Path:
    """The book's first page, in the folder that Jupyter Book builds into."""
    return site_folder() / "_build" / "html" / "index.html"


def stage(root: Path = ROOT) -> Path:
    """Copy what the site needs beside the executed chapters; returns the staging folder.

    Raises
    ------
    SdlibError
        The folder cannot be written.
    """
    site = site_folder()
    if found := obstacle(site):
        raise SdlibError(f"cannot write the site to {site}: {found}")
    ignored = shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints", "_static")
    try:
        site.mkdir(parents=True, exist_ok=True)
        for name in ("_config.yml", "_toc.yml"):
            shutil.copy2(root / name, site / name)
        shutil.copytree(root / "book", site / "book", ignore=ignored, dirs_exist_ok=True)
        # Jupyter Book takes style sheets from the top folder alone.
        shutil.copytree(root / "book" / "_static", site / "_static", dirs_exist_ok=True)
    except OSError as error:
        raise SdlibError(f"cannot write the site to {site}: {error}") from error
    return site


def build(root: Path = ROOT) -> Path:
    """Build the site from the executed chapters, strictly; returns its first page.

    Raises
    ------
    SdlibError
        Sphinx warned, or a page would load something from the network.
    """
    from sdlib.pipeline.output_checks import offline, refuse  # nbformat takes seconds to import

    site = stage(root)
    # --all: an unchanged page is not read again, and its warning would pass the second time.
    options = ["-W", "-n", "--keep-going", "--all", "--quiet"]
    tool = Path(sys.executable).with_name("jupyter-book")  # it has no `python -m` form
    command = [sys.executable, str(tool), "build", str(site), *options]
    if subprocess.run(command, check=False).returncode:
        raise SdlibError("jupyter-book refused the site: mend the warnings above")
    page = first_page()
    refuse(offline(page.parent), "pages that need the network")
    return page


def show() -> None:
    """Print where the book is; open it if a person with a display is looking.

    Raises
    ------
    SdlibError
        The book is not built.
    """
    page = first_page().resolve()
    if not page.exists():
        raise SdlibError(f"expected the book at {page}: build it with `make book`")
    serve = [sys.executable, "-m", "http.server", "--directory", str(page.parent)]
    print(f"\nThe book: {page}\nOpen it in a browser, or serve it on http://localhost:8000 with")
    print(f"  {shlex.join(serve)}")
    display = (
        sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if sys.stdout.isatty() and display:
        webbrowser.open(page.as_uri())
