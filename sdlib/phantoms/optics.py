"""From stain to pixels: Beer-Lambert, point spread, colour response, noise and JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from sdlib.phantoms.chance import bits
from sdlib.phantoms.cohorts import CENTRES, SCANNERS
from sdlib.phantoms.glands import FIELD_UM

if TYPE_CHECKING:
    from sdlib.phantoms.histology import HistologyTile

__all__ = ["develop", "stain_matrix"]

UNSHARP_UM = 2.5  # radius of a scanner's own unsharp masking


def stain_matrix(tile: HistologyTile) -> np.ndarray:
    """Optical densities of R, G, B (rows) of haematoxylin and eosin (columns), float64 (3, 2).

    Columns are unit vectors: the centre's, turned by the tile's ``stain_hue`` from blue to red.

    >>> from sdlib.phantoms.histology import draw_tiles
    >>> matrix = stain_matrix(draw_tiles(1, seed=0)[0])
    >>> np.linalg.norm(matrix, axis=0).round(6).tolist()
    [1.0, 1.0]
    """
    centre = CENTRES[tile.centre]
    matrix = np.array([centre.haematoxylin, centre.eosin]).T
    # What looks redder absorbs less red and more blue.
    cos, sin = np.cos(tile.stain_hue), np.sin(tile.stain_hue)
    matrix = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) @ matrix
    return matrix / np.linalg.norm(matrix, axis=0)


def develop(
    tile: HistologyTile, haematoxylin: np.ndarray, eosin: np.ndarray, size: int, jpeg: bool
) -> np.ndarray:
    """The scanned image of tissue.

    Args:
        haematoxylin, eosin: concentrations, float32 (m, m), m at least ``size``.
        size: side of the image, px.
        jpeg: whether to compress.

    Returns:
        uint8 (size, size, 3), RGB.
    """
    scanner = SCANNERS[tile.scanner]
    side = haematoxylin.shape[0]
    mixing = stain_matrix(tile) * (tile.haematoxylin, tile.eosin) * -scanner.gamma
    image = cv2.exp(cv2.transform(cv2.merge([haematoxylin, eosin]), mixing))
    pixel = FIELD_UM / side
    image = cv2.GaussianBlur(image, (0, 0), 1 / (tile.sharpness * pixel))
    if side != size:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    image *= np.array(scanner.white, np.float32)
    if scanner.unsharp:
        soft = cv2.GaussianBlur(image, (0, 0), UNSHARP_UM * size / FIELD_UM)
        image = cv2.addWeighted(image, 1 + scanner.unsharp, soft, -scanner.unsharp, 0)
    rng = np.random.Generator(np.random.SFC64(int(bits("noise", tile.seed)[0])))
    image += scanner.noise * rng.standard_normal(image.shape, np.float32)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return _compress(pixels, scanner.jpeg_quality) if jpeg else pixels


def _compress(pixels: np.ndarray, quality: int) -> np.ndarray:
    # OpenCV's codec speaks BGR.
    done, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not compress a tile as JPEG: its codec is missing")
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
