"""The site: staged beside the executed chapters, built strictly, shown to the reader."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import yaml

from sdlib.errors import ConfigError, SdlibError
from sdlib.files import obstacle
from sdlib.paths import ROOT, outputs_folder
from sdlib.pipeline.links import broken_links

__all__ = ["add_modules", "build", "first_page", "show", "site_folder", "stage", "with_address"]


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
    ConfigError
        The code's address in ``_config.yml`` is not one of the web.
    SdlibError
        The folder cannot be written.
    """
    site = site_folder()
    if found := obstacle(site):
        raise SdlibError(f"cannot write the site to {site}: {found}")
    ignored = shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints", "_static", "js", "voila")
    try:
        site.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / "_toc.yml", site / "_toc.yml")
        config = with_address((root / "_config.yml").read_text(encoding="utf-8"))
        (site / "_config.yml").write_text(config, encoding="utf-8")
        shutil.copytree(root / "book", site / "book", ignore=ignored, dirs_exist_ok=True)
        # Jupyter Book takes style sheets from the top folder alone.
        shutil.copytree(root / "book" / "_static", site / "_static", dirs_exist_ok=True)
    except OSError as error:
        raise SdlibError(f"cannot write the site to {site}: {error}") from error
    return site


def with_address(config: str) -> str:
    """Let the pages link to the code, where ``_config.yml`` says its public address.

    Parameters
    ----------
    config : str
        What ``_config.yml`` says.

    Returns
    -------
    str
        The same text where ``repository.url`` is empty. Else a configuration in which the first
        page's ``code_address`` is a link, and the foot of every page has one.

    Raises
    ------
    ConfigError
        The address is not one of the web.

    Examples
    --------
    >>> with_address("repository: {url: ''}")
    "repository: {url: ''}"
    """
    found = yaml.safe_load(config)
    address = (found.get("repository") or {}).get("url") or ""
    if not address:
        return config
    if not re.fullmatch(r"https?://[^\s\"'<>()]+", str(address)):
        raise ConfigError(
            f"expected repository.url in _config.yml as https://..., or empty, got {address!r}"
        )
    found["parse"]["myst_substitutions"]["code_address"] = f"[{address}]({address})"
    foot = found["html"]["extra_footer"]
    found["html"]["extra_footer"] = f'<p><a href="{address}">Code of this book</a></p>{foot}'
    return yaml.safe_dump(found, allow_unicode=True, sort_keys=False)


def build(root: Path = ROOT) -> Path:
    """Build the site from the executed chapters, strictly; returns its first page.

    Raises
    ------
    SdlibError
        Sphinx warned, a page would load something from the network, or a link leads nowhere.
    """
    from sdlib.pipeline.browser_runtime import add_runtime
    from sdlib.pipeline.output_checks import offline, refuse  # nbformat takes seconds to import

    site = stage(root)
    # --all: an unchanged page is not read again, and its warning would pass the second time.
    options = ["-W", "-n", "--keep-going", "--all", "--quiet"]
    tool = Path(sys.executable).with_name("jupyter-book")  # it has no `python -m` form
    command = [sys.executable, str(tool), "build", str(site), *options]
    if subprocess.run(command, check=False).returncode:
        raise SdlibError("jupyter-book refused the site: mend the warnings above")
    page = first_page()
    add_runtime(add_modules(page.parent, root), root)
    refuse(offline(page.parent), "pages that need the network")
    refuse(broken_links(page.parent), "links that lead nowhere")
    return page


def add_modules(html: Path, root: Path = ROOT) -> Path:
    """Copy the modules of the figures that respond into the built site; returns their folder.

    Parameters
    ----------
    html : pathlib.Path
        The built site. Before it is built they may not be there: Jupyter Book would put every
        script of ``_static`` into every page.
    root : pathlib.Path
        The repository.

    Raises
    ------
    SdlibError
        They cannot be written.
    """
    folder = html / "_static" / "lab"
    try:
        shutil.copytree(root / "book" / "lab" / "js", folder, dirs_exist_ok=True)
    except OSError as error:
        raise SdlibError(f"cannot write the figures' modules to {folder}: {error}") from error
    return folder


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
