"""What the shift lab writes beside its pictures: styles, texts and the panel of predictions.

Everything is HTML and SVG made as text, within a millisecond. Colours and markers are the arms'
own; in a dark theme colours are mixed with white, and all other ink is the theme's. Every drawing
has its numbers beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import Affine2D

from sdlib.plotting import ARMS
from sdlib.shifts import LEVELS

__all__ = [
    "AXES",
    "CLASS_NAMES",
    "CSS",
    "NAMES",
    "SCALES",
    "arm_ink",
    "arm_key",
    "arm_line",
    "arm_marker",
    "label",
    "predictions_html",
]

#: Positions of each slider from no shift to the strongest, in the order of their application.
SCALES: dict[str, tuple[float, ...]] = {
    shift: (*rest, *(level.strength for level in LEVELS if level.shift == shift))
    for shift, rest in (("haematoxylin", ()), ("eosin", ()), ("blur", (1,)), ("sharpen", ()))
}
NAMES = {"haematoxylin": "haematoxylin", "eosin": "eosin", "blur": "blur", "sharpen": "sharpening"}
#: What stands below the axis of a shift's strength.
AXES = {
    "haematoxylin": "haematoxylin multiplied by",
    "eosin": "eosin multiplied by",
    "blur": "blur n, px of 224",
    "sharpen": "sharpening α",
}
CLASS_NAMES = ("benign", "cancer")
DASHES = {"-": "", "--": "6 3", ":": "1.5 3"}
STRIP, EDGE, ROW = 200, 8, 22  # px: a row of probabilities, its margins, its height

CSS = """<style>
.sdlab { color: var(--jp-ui-font-color1, #212121); }
.sdlab .widget-html-content { font-size: 14px; line-height: 1.4; color: inherit; }
.sdlab p { margin: 6px 0 0; }
.sdlab h3 { margin: 0 0 6px; font-size: 15px; font-weight: 600; color: inherit; }
.sdlab img { image-rendering: pixelated; }
.sdlab table { border-collapse: collapse; width: 100%; font-size: 13px; color: inherit; }
.sdlab th, .sdlab td { padding: 1px 8px 1px 0; text-align: left; font-weight: normal;
  vertical-align: middle; font-variant-numeric: tabular-nums; }
.sdlab thead th { border-bottom: 1px solid currentColor; vertical-align: bottom; }
.sdlab tbody th { line-height: 1.25; }
.sdlab td.values { white-space: nowrap; }
.sdlab svg { display: block; overflow: visible; }
.sdlab svg text { fill: currentColor; font-size: 12px; }
.sdlab .keyed { display: flex; align-items: center; gap: 8px; }
.sdlab .keyed svg { flex: none; }
.sdlab .arm { color: var(--arm); }
body[data-jp-theme-light="false"] .sdlab .arm {
  color: color-mix(in srgb, var(--arm) 60%, white); }
body[data-jp-theme-light="false"] .sdlab select {
  appearance: auto; background-image: none; color-scheme: dark; }
.sdlab :focus-visible { outline: 3px solid #0072B2; outline-offset: 2px; }
body[data-jp-theme-light="false"] .sdlab :focus-visible { outline-color: #56B4E9; }
</style>"""


def label(shift: str, strength: float) -> str:
    """A position of a slider in a few characters.

    >>> label("blur", 5), label("sharpen", 0.3), label("eosin", 0.0)
    ('n = 5', 'α = 0.3', '× 0.0')
    """
    if shift == "blur":
        return f"n = {strength:.0f}"
    return f"{'α =' if shift == 'sharpen' else '×'} {strength:.1f}"


@cache
def _outline(marker: str) -> str:
    """A matplotlib marker as the data of an SVG path, one pixel large, centred on 0."""
    style = MarkerStyle(marker)
    # A hundred times too large while curves become polygons, for these to be fine enough.
    path = style.get_path().transformed(style.get_transform() + Affine2D().scale(100, -100))
    outlines = (" L".join(f"{x / 100:.2f},{y / 100:.2f}" for x, y in p) for p in path.to_polygons())
    return " ".join(f"M{points} Z" for points in outlines)


def arm_ink(arm: str, content: str) -> str:
    """SVG ``content`` whose ``currentColor`` is the arm's colour, as the theme needs it."""
    return f'<g class="arm" style="--arm:{escape(ARMS[arm].colour)}">{content}</g>'


def arm_marker(arm: str, x: float, y: float, size: float = 9, hollow: bool = False) -> str:
    """An arm's marker centred on (x, y), ``size`` px large, in the ink that surrounds it."""
    ink = "currentColor"
    paint = f'fill="none" stroke="{ink}" stroke-width="{1.3 / size:.2f}"'
    return (
        f'<path d="{_outline(ARMS[arm].marker)}" transform="translate({x:.1f} {y:.1f}) '
        f'scale({size})" {paint if hollow else f"""fill="{ink}" """}/>'
    )


def arm_line(arm: str, points: str, width: float = 1.8) -> str:
    """A line through ``points`` (SVG's ``x,y x,y``) with the arm's dashes."""
    dashes = DASHES[ARMS[arm].dash]
    return (
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="{width}" '
        f'stroke-dasharray="{dashes or "none"}"/>'
    )


def arm_key(arm: str) -> str:
    """An arm's line, marker and name, for the head of a table's row."""
    drawn = arm_line(arm, "1,8 33,8") + arm_marker(arm, 17, 8)
    return (
        '<div class="keyed"><svg width="34" height="16" aria-hidden="true">'
        f"{arm_ink(arm, drawn)}</svg><span>{escape(ARMS[arm].label)}</span></div>"
    )


def _across(probability: float) -> float:
    return EDGE + (STRIP - 2 * EDGE) * probability


def _strip(arm: str, seeds: np.ndarray, before: float, target: int) -> str:
    """A row from 0 to 1, its right half shaded: seeds, their mean, and hollow what it was."""
    middle, height = _across(0.5), ROW / 2
    true_half = _across(0.5 * target)
    dots = "".join(
        f'<circle cx="{_across(p):.1f}" cy="{height}" r="3" fill="currentColor" opacity="0.5"/>'
        for p in seeds
    )
    means = arm_marker(arm, _across(before), height, 10, hollow=True)
    means += arm_marker(arm, _across(seeds.mean()), height, 10)
    return (
        f'<svg width="{STRIP}" height="{ROW}" aria-hidden="true">'
        f'<rect x="{true_half}" width="{STRIP / 2 - EDGE}" height="{ROW}" fill="currentColor" '
        f'opacity="0.1"/><line x1="{EDGE}" x2="{STRIP - EDGE}" y1="{height}" y2="{height}" '
        f'stroke="currentColor" opacity="0.4"/><line x1="{middle}" x2="{middle}" y2="{ROW}" '
        f'stroke="currentColor" opacity="0.6"/>{arm_ink(arm, dots + means)}</svg>'
    )


def _ticks() -> str:
    """The heading of the strips: 0, .5 and 1 above their places."""
    anchors = {0.0: "start", 0.5: "middle", 1.0: "end"}
    texts = "".join(
        f'<text x="{_across(p) + 8 * (2 * p - 1) * (p != 0.5):.0f}" y="12" '
        f'text-anchor="{anchor}">{name}</text>'
        for (p, anchor), name in zip(anchors.items(), ("0 benign", ".5", "cancer 1"), strict=True)
    )
    return f'<svg width="{STRIP}" height="16" role="img" aria-label="from 0 to 1">{texts}</svg>'


def predictions_html(
    now: Mapping[tuple[str, int], float], before: Mapping[tuple[str, int], float], target: int
) -> str:
    """Every arm's probability of cancer for the tile: mean, each seed, and before the shift.

    Parameters
    ----------
    now, before : mapping of (arm, seed) to float
        From 0 to 1, for the shifted and for the untouched tile.
    target : int
        0 benign, 1 cancer.

    Examples
    --------
    >>> page = predictions_html({("sd", 0): 0.25, ("sd", 1): 0.75}, {("sd", 0): 0, ("sd", 1): 0}, 1)
    >>> "<b>0.50</b> (was 0.00)" in page
    True
    """
    rows = []
    for arm in dict.fromkeys(arm for arm, _ in now):
        seeds = np.array([p for (name, _), p in now.items() if name == arm])
        was = float(np.mean([p for (name, _), p in before.items() if name == arm]))
        each = " ".join(f"{p:.2f}" for p in seeds)
        rows.append(
            f'<tr><th scope="row">{arm_key(arm)}</th><td>{_strip(arm, seeds, was, target)}</td>'
            f'<td class="values"><b>{seeds.mean():.2f}</b> (was {was:.2f})</td>'
            f'<td class="values">{each}</td></tr>'
        )
    return (
        "<h3>Probability of cancer for this tile</h3>"
        f"<table><thead><tr><th>arm</th><th>{_ticks()}</th><th>mean</th><th>each seed</th></tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
        "<p>Filled marker: mean over seeds; dots: each seed; hollow: the untouched tile. "
        f"Shaded is the right half: this tile is {CLASS_NAMES[target]}.</p>"
    )
