"""A page with the shift lab alone, laid out as the book's site is."""

from sdlib.lab.live import live_html
from sdlib.lab.page import page_still
from sdlib.lab.page_networks import export
from sdlib.pipeline.browser_runtime import fetch_runtime
from tests.lab.browser import lay_out


def laid_out(folder, state):
    """The page, its question left out, without runtime and networks."""
    quiet = {key: value for key, value in state.items() if key != "ask"}
    return lay_out(folder, live_html("lab", quiet, page_still()))


def add_networks(folder):
    """Runtime and networks; SdlibError where the network is off and nothing in the cache."""
    runtime = fetch_runtime()
    (folder / "_static" / "lab" / "ort").mkdir()
    for path in runtime:
        (folder / "_static" / "lab" / "ort" / path.name).symlink_to(path)
    export(folder / "_static" / "lab" / "networks")
