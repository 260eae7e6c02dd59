"""Opening the lab: with this machine's networks where a kernel runs, as pictures elsewhere."""

from __future__ import annotations

from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from sdlib.errors import SdlibError
from sdlib.lab.curves import Curves
from sdlib.lab.frontend import has_frontend
from sdlib.lab.networks import LabNetworks
from sdlib.lab.page_networks import with_squares
from sdlib.lab.pictures import fallback_strip
from sdlib.lab.sources import find_curves, find_networks, lab_tiles
from sdlib.lab.widget import Lab

__all__ = ["lab", "show"]

NEEDS_A_KERNEL = (
    "This lab, with more networks than the one in the page, needs a running kernel: `make lab` "
    "opens it in a browser, and this cell shows it when it is run in JupyterLab. In its place, "
    "here is one tile of procedural tissue at some levels of each shift."
)


def lab() -> Lab:
    """The lab with this machine's tiles, networks and accuracy curves.

    Where a file of networks or of accuracies is broken, the lab says so and goes without.
    """
    try:
        networks = with_squares(find_networks())
    except SdlibError as error:
        networks = LabNetworks(problem=str(error))
    try:
        curves = find_curves(networks)
    except SdlibError as error:
        curves = Curves.without(f"The accuracies cannot be read: {error}")
    return Lab(lab_tiles(networks.size), networks, curves)


def show(live: bool | None = None) -> None:
    """Display the lab where someone can move its sliders, else a sentence and a strip of pictures.

    Parameters
    ----------
    live : bool, optional
        By default :func:`has_frontend` decides.
    """
    if has_frontend() if live is None else live:
        display(lab())
        return
    display(Markdown(NEEDS_A_KERNEL))
    figure = fallback_strip()
    display(figure)
    plt.close(figure)  # or the notebook would show it once more
