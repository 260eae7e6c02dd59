"""The shift lab of the static page: what its figure is given, and what stands there without it."""

from __future__ import annotations

import base64
from html import escape

import cv2
import numpy as np
import pandas as pd
from scipy.special import expit

from sdlib.cutouts import N_CUTOUTS, cutout_positions, scaled_cutout_size
from sdlib.lab.curves import unshifted_as_blur
from sdlib.lab.frontend import has_frontend
from sdlib.lab.live import show_live
from sdlib.lab.networks import LabNetworks
from sdlib.lab.opening import show
from sdlib.lab.page_networks import NO_SHIFT, TASKS, Task, accuracies, page_networks
from sdlib.lab.panels import AXES, NAMES, SCALES
from sdlib.lab.pictures import disturb
from sdlib.lab.sources import lab_films, lab_tiles
from sdlib.plotting import ARMS
from sdlib.stain import estimate_macenko
from sdlib.stain.estimate import pseudo_inverse
from sdlib.stain.kernels import LOG2_E
from sdlib.training.prediction import predict_logits

__all__ = ["PRESETS", "answer", "page_state", "page_still", "show_page"]

TILES_EACH, FILMS_EACH = 2, 1  # of either class
REST = {**{shift: scale[0] for shift, scale in SCALES.items()}, "squares": ""}
QUESTION = {
    "question": (
        "In training, squares were on one in four benign tiles and on one in forty with cancer. "
        "Sixteen are laid on a tile with cancer: whose probability of cancer falls least?"
    ),
    "choices": {
        "weight_decay": "weight decay's",
        "sd_eq1": "spectral decoupling's, Equation 1",
        "sd_eq2": "spectral decoupling's, Equation 2",
    },
}


def _squares(size: int) -> str:
    """The paper's number of squares, at fixed places, as the figure writes them."""
    side = scaled_cutout_size(size)
    places = cutout_positions(1, size, N_CUTOUTS, side, seed=0)[0]
    return ";".join(f"{row},{column}" for row, column in places)


def _presets() -> dict[str, dict]:
    """What buttons set, by their labels; the first tiles are benign."""
    benign, cancer = "0", str(TILES_EACH)
    squares = _squares(64)
    return {
        "squares on benign": {**REST, "tile": benign, "squares": squares},
        "squares on cancer": {**REST, "tile": cancer, "squares": squares},
        # As much detail (variance of the Laplacian) as the phantoms' second scanner, flash3, gives
        # the same tissue. It also darkens a little, which takes no stain away.
        "scanner B": {**REST, "sharpen": 0.2},
        "faded stain": {**REST, "haematoxylin": 0.5, "eosin": 0.5},
        "reset": REST,
    }


PRESETS = _presets()
"""Values of the figure's controls by the label of a button."""


def answer() -> str:
    """What sixteen squares do to the probabilities of cancer on the first tile with cancer.

    Returns
    -------
    str
        The arms that the question offers, from the smallest fall to the largest, then the control.
    """
    networks = page_networks("cutout")
    tile = lab_tiles(networks.size, TILES_EACH).images[TILES_EACH]
    squares = [tuple(map(int, pair.split(","))) for pair in _squares(networks.size).split(";")]
    both = np.stack([tile, disturb(tile, squares=squares)])
    changes = {arm: expit(predict_logits(one, both)) for (arm, _), one in networks.networks.items()}
    by_fall = sorted(QUESTION["choices"], key=lambda arm: changes[arm][0] - changes[arm][1])
    told = [
        f"{ARMS[arm].label} goes from {changes[arm][0]:.2f} to {changes[arm][1]:.2f}"
        for arm in (*by_fall, "control")
    ]
    falls = ", ".join(told[:-1])
    return (
        f"On the first tile with cancer, from the smallest fall to the largest: {falls}. "
        f"{told[-1]}; its training tiles all had squares. Press the preset to see it."
    )


def page_state() -> dict:
    """Everything that the figure needs: images, networks' names and answers, accuracies.

    Returns
    -------
    dict
        Of what JSON can hold. ``tiles`` have their pixels as base64, R, G, B, and the logits of the
        untouched image; tissue also has the matrices of its stains.

    Raises
    ------
    DataError
        Networks or accuracies are not recorded, or broken.
    """
    tiles, tasks = [], {}
    for experiment, task in TASKS.items():
        networks = page_networks(experiment)
        stained = "eosin" in task.shifts
        images = (
            lab_tiles(networks.size, TILES_EACH)
            if stained
            else lab_films(networks.size, FILMS_EACH)
        )
        tiles += [
            _tile(task, networks, image, int(target))
            for image, target in zip(images.images, images.targets, strict=True)
        ]
        tasks[experiment] = {
            "file": experiment,
            "classes": task.classes,
            "arms": [{"label": ARMS[arm].label, "colour": ARMS[arm].colour} for arm in task.arms],
            "curves": _curves(task),
        }
    names = [f"{k + 1}: {_name(one)}" for k, one in enumerate(tiles)]
    ask = {**QUESTION, "answer": answer()}
    controls = {**REST, "tile": "0", "presets": PRESETS, "ask": ask, "predicted": ""}
    return {**controls, "tiles": tiles, "names": names, "tasks": tasks}


def _name(tile: dict) -> str:
    kind = "tissue" if "mix" in tile else "film"
    return f"{kind}, {TASKS[tile['task']].classes[tile['target']]}"


def _tile(task: Task, networks: LabNetworks, image: np.ndarray, target: int) -> dict:
    logits = [predict_logits(one, image[None])[0] for one in networks.networks.values()]
    tile = {
        "task": task.experiment,
        "target": target,
        "size": networks.size,
        "side": scaled_cutout_size(networks.size),
        "pixels": base64.b64encode(image.tobytes()).decode(),
        "logits": np.array(logits).tolist(),
    }
    if "eosin" in task.shifts:
        matrix = estimate_macenko(image).matrix
        tile["unmix"] = pseudo_inverse(matrix).astype(np.float32).tolist()
        tile["mix"] = (LOG2_E * matrix).astype(np.float32).tolist()
    return tile


def _curves(task: Task) -> dict[str, dict]:
    """Accuracy of every arm along each shift of a task."""
    table = unshifted_as_blur(accuracies(task.experiment), NO_SHIFT)
    return {shift: _curve(task, shift, table[table["shift"] == shift]) for shift in task.shifts}


def _curve(task: Task, shift: str, table: pd.DataFrame) -> dict:
    wide = table.pivot(index="strength", columns="arm", values="accuracy").sort_index()
    return {
        "title": f"Accuracy on all test images, {NAMES[shift]} alone",
        "xLabel": AXES[shift],
        "x": wide.index.tolist(),
        "values": [wide[arm].tolist() for arm in task.arms],
    }


def page_still(size: int = 64) -> str:
    """The figure without JavaScript, HTML: one tile untouched, and disturbed in four ways."""
    tile = lab_tiles(size, 1).images[1]
    squares = [tuple(map(int, pair.split(","))) for pair in _squares(size).split(";")]
    pictures = {
        "untouched": tile,
        "squares": disturb(tile, squares=squares),
        "blur n = 14": disturb(tile, blur=14),
        "sharpening α = 0.5": disturb(tile, sharpen=0.5),
        "both stains × 0.5": disturb(tile, haematoxylin=0.5, eosin=0.5),
    }
    return (
        '<div class="lab-still">' + "".join(map(_picture, pictures, pictures.values())) + "</div>"
    )


def _picture(name: str, image: np.ndarray) -> str:
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    address = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    caption = f"<figcaption>{escape(name)}</figcaption>"
    return f'<figure><img src="{address}" alt="a tile, {escape(name)}">{caption}</figure>'


def show_page() -> None:
    """Display the lab that needs no kernel; where someone reads along, the one that has one."""
    if has_frontend():
        show()
    else:
        show_live("lab", page_state(), page_still())
