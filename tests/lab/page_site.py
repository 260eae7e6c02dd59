"""A page with the shift lab alone, laid out as the book's site is."""

import shutil

from sdlib.lab.live import live_html
from sdlib.lab.page import page_still
from sdlib.lab.page_networks import export
from sdlib.paths import ROOT
from sdlib.pipeline.browser_runtime import fetch_runtime

PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><title>t</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="_static/live.css">
<script src="_static/live.js"></script><main>{figure}</main></html>"""


def laid_out(folder, state):
    """The page, its question left out, without runtime and networks."""
    (folder / "_static").mkdir()
    for name in ("live.js", "live.css"):
        (folder / "_static" / name).symlink_to(ROOT / "book" / "_static" / name)
    shutil.copytree(ROOT / "book" / "lab" / "js", folder / "_static" / "lab")
    quiet = {key: value for key, value in state.items() if key != "ask"}
    figure = live_html("lab", quiet, page_still())
    (folder / "index.html").write_text(PAGE.format(figure=figure), encoding="utf-8")
    return folder


def add_networks(folder):
    """Runtime and networks; SdlibError where the network is off and nothing in the cache."""
    runtime = fetch_runtime()
    (folder / "_static" / "lab" / "ort").mkdir()
    for path in runtime:
        (folder / "_static" / "lab" / "ort" / path.name).symlink_to(path)
    export(folder / "_static" / "lab" / "networks")
