"""The lab as a widget: a tile, four sliders, pictures before and after, and what networks say."""

from __future__ import annotations

from html import escape

import cv2
import ipywidgets as widgets
import numpy as np
from ipywidgets.widgets.widget_description import DescriptionWidget

from sdlib.cutouts import N_CUTOUTS, cutout_positions, scaled_cutout_size
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError
from sdlib.lab.curves import Curves
from sdlib.lab.networks import LabNetworks
from sdlib.lab.panels import CLASS_NAMES, CSS, NAMES, SCALES, label, predictions_html
from sdlib.lab.pictures import disturb
from sdlib.shifts import blur_width

__all__ = ["Lab"]

SIDE = 256  # px at which a tile is shown, or near it: every pixel of it becomes a whole square
TEXT_WIDTHS = {"before": "290px", "after": "290px", "predictions": "680px", "curve": "480px"}
CAPTION_HEIGHT = "76px"  # a heading and two lines
ORDER = (
    "All four combine, in this order: the stains, then blur, then sharpening. Black squares are "
    "laid on at the end."
)


def _slider(shift: str) -> widgets.SelectionSlider:
    options = [(label(shift, strength), strength) for strength in SCALES[shift]]
    return widgets.SelectionSlider(
        options=options,
        description=NAMES[shift],
        tooltip=f"{NAMES[shift]}: left is no shift, right the strongest",
        style={"description_width": "96px"},
        layout={"width": "370px"},
    )


class _Picture(widgets.Image, DescriptionWidget):
    """An image that can say what it shows: only widgets with a description have a tooltip."""

    def __init__(self, size: int) -> None:
        side = f"{size * max(1, round(SIDE / size))}px"
        super().__init__(format="png", layout={"width": side, "height": side})

    def show(self, image: np.ndarray, what: str) -> None:
        colours = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        self.value = cv2.imencode(".png", colours)[1].tobytes()
        self.tooltip = what


class Lab(widgets.VBox):
    """The lab as one widget.

    Parameters
    ----------
    tiles : TileSet
        To choose from, of the networks' size.
    networks : LabNetworks
    curves : Curves

    Attributes
    ----------
    tile : ipywidgets.Dropdown
        Its value is an index into ``tiles``.
    sliders : dict of str to ipywidgets.SelectionSlider
        By shift; their values are strengths as :func:`disturb` takes them.
    squares : ipywidgets.SelectionSlider
        How many black squares are on the tile, 0 to the paper's 16.
    elsewhere : ipywidgets.Button
        Draws other places for the squares.
    reset : ipywidgets.Button
    before, after : ipywidgets.Image
        PNG at the tiles' own size, shown larger.
    texts : dict of str to ipywidgets.HTML
        ``before`` and ``after`` the pictures, ``predictions`` of the networks, accuracy ``curve``.
    probabilities : dict of (str, int) to float
        Of cancer for the tile as shown, by arm and seed.

    Raises
    ------
    ConfigError
        No tiles, or tiles of another size than the networks'.
    """

    def __init__(self, tiles: TileSet, networks: LabNetworks, curves: Curves) -> None:
        if not len(tiles):
            raise ConfigError("expected at least one tile to show, got none")
        if networks.networks and tiles.size != networks.size:
            raise ConfigError(f"expected tiles of {networks.size} px, got {tiles.size} px")
        self.tiles, self.networks, self.curves = tiles, networks, curves
        self._moved, self._quiet = "blur", False
        names = [f"{k + 1}: {CLASS_NAMES[target]}" for k, target in enumerate(tiles.targets)]
        self.tile = widgets.Dropdown(
            options=[(name, k) for k, name in enumerate(names)],
            description="tile, true class",
            style={"description_width": "96px"},
            layout={"width": "270px"},
        )
        self.sliders = {shift: _slider(shift) for shift in SCALES}
        self.squares = widgets.SelectionSlider(
            options=[(str(k), k) for k in range(N_CUTOUTS + 1)],
            description="squares",
            tooltip="how many black squares are on the tile",
            style={"description_width": "96px"},
            layout={"width": "370px"},
        )
        self.elsewhere = widgets.Button(
            description="Squares elsewhere",
            tooltip="draw other places for the squares",
            layout={"margin": "6px 0 0 104px"},
        )
        self._places = 0  # the seed of the squares' places
        self.reset = widgets.Button(
            description="Reset",
            tooltip="back to the untouched tile",
            layout={"margin": "6px 0 10px 104px"},
        )
        self.before, self.after = _Picture(tiles.size), _Picture(tiles.size)
        self.texts = {
            name: widgets.HTML(layout={"max_width": width}) for name, width in TEXT_WIDTHS.items()
        }
        for name in ("before", "after"):  # both pictures stay where they are as the text grows
            self.texts[name].layout.min_height = CAPTION_HEIGHT
        super().__init__([widgets.HTML(CSS), *self._rows()])
        self.add_class("sdlab")
        self.tile.observe(self._picked, "value")
        for slider in self.sliders.values():
            slider.observe(self._slid, "value")
        self.squares.observe(self._squared, "value")
        self.elsewhere.on_click(self._moved_squares)
        self.reset.on_click(self._restored)
        self._picked()

    def _rows(self) -> list[widgets.Widget]:
        about = f"<p>{ORDER}</p><p>{escape(self.networks.sentence)}</p>"
        squares = [self.squares, self.elsewhere]
        controls = [self.tile, *self.sliders.values(), *squares, self.reset, widgets.HTML(about)]
        pictures = [
            widgets.VBox([self.texts[name], picture])
            for name, picture in (("before", self.before), ("after", self.after))
        ]
        space = {"flex_flow": "row wrap", "grid_gap": "16px 40px", "margin": "0 0 20px"}
        # In a narrow notebook both pictures go below the sliders, still side by side.
        side_by_side = widgets.Box(pictures, layout={"flex_flow": "row wrap", "grid_gap": "16px"})
        sliders = widgets.VBox(controls, layout={"width": "380px"})
        return [
            widgets.Box([sliders, side_by_side], layout=space),
            widgets.Box([self.texts["predictions"], self.texts["curve"]], layout=space),
        ]

    @property
    def settings(self) -> dict[str, float]:
        """Every slider's strength."""
        return {shift: slider.value for shift, slider in self.sliders.items()}

    def _picked(self, change: object = None) -> None:
        image = self.tiles.images[self.tile.value]
        self.before.show(image, f"the untouched tile, {CLASS_NAMES[self._target]}")
        self._untouched = self.networks.probabilities(image)
        self.texts["before"].value = f"<h3>Before</h3>true class: {CLASS_NAMES[self._target]}"
        self._update()

    def _slid(self, change) -> None:
        if not self._quiet:
            self._moved = next(s for s, slider in self.sliders.items() if slider is change.owner)
            self._update()

    def _squared(self, change: object) -> None:
        if not self._quiet:
            self._update()

    def _moved_squares(self, button: object) -> None:
        self._places += 1
        self._update()

    @property
    def corners(self) -> list[tuple[int, int]]:
        """(row, column) of the squares on the tile; one more leaves the others where they are."""
        size = self.tiles.size
        places = cutout_positions(1, size, N_CUTOUTS, scaled_cutout_size(size), self._places)[0]
        return [tuple(place) for place in places[: self.squares.value].tolist()]

    def _restored(self, button: object = None) -> None:
        self._quiet = True  # one picture, not one per slider
        self.squares.value = 0
        for shift, slider in self.sliders.items():
            slider.value = SCALES[shift][0]
        self._quiet = False
        self._update()

    @property
    def _target(self) -> int:
        return int(self.tiles.targets[self.tile.value])

    def _update(self) -> None:
        """The picture first, so that it follows the slider at once; then what networks say."""
        shifted = disturb(self.tiles.images[self.tile.value], **self.settings, squares=self.corners)
        done = self._described()
        self.after.show(shifted, f"the tile after: {done}")
        self.texts["after"].value = f'<h3>After</h3><span role="status">{done}</span>'
        self.probabilities = self.networks.probabilities(shifted)
        if self.probabilities:
            self.texts["predictions"].value = predictions_html(
                self.probabilities, self._untouched, self._target
            )
        self.texts["curve"].value = self.curves.html(self._moved, self.settings[self._moved])

    def _described(self) -> str:
        """What has been done to the tile, in words."""
        done = []
        for shift, strength in self.settings.items():
            if strength != SCALES[shift][0]:
                done.append(f"{NAMES[shift]} {label(shift, strength)}")
                if shift == "blur":
                    width = blur_width(strength, self.tiles.size)
                    done[-1] += f" ({width:.1f} px here{'' if width > 1 else ': no change'})"
        if self.squares.value:
            done.append(f"black squares: {self.squares.value}")
        return ", ".join(done) or "no shift"
