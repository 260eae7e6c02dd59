"""From stain to pixels: Beer-Lambert's law, point spread, colour response, noise and JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.phantoms.chance import bits
from sdlib.phantoms.cohorts import CENTRES, SCANNERS
from sdlib.phantoms.tile import FIELD_UM, HistologyTile

__all__ = ["develop", "stain_matrix"]

UNSHARP_UM = 2.5  # radius of a scanner's own unsharp masking


def stain_matrix(tile: HistologyTile) -> np.ndarray:
    """The true stains of a tile: optical densities of haematoxylin and eosin in R, G, B.

    Parameters
    ----------
    tile : HistologyTile
        Its centre and its ``stain_hue`` are used.

    Returns
    -------
    numpy.ndarray
        float64 (3, 2): rows R, G, B; columns haematoxylin and eosin. Columns are unit vectors, the
        centre's turned by ``stain_hue`` from blue towards red.

    Examples
    --------
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
    """Scan tissue: turn concentrations of stain into an image.

    Parameters
    ----------
    tile : HistologyTile
        Its centre, scanner, seed, amounts of stain, hue and sharpness are used.
    haematoxylin, eosin : numpy.ndarray
        float32 (m, m), concentrations, m at least ``size``.
    size : int
        Side of the image, px.
    jpeg : bool
        Whether to compress as the scanner does.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size, 3), RGB.

    Raises
    ------
    RuntimeError
        OpenCV was built without JPEG.

    Examples
    --------
    >>> from sdlib.phantoms.histology import draw_tiles
    >>> glass = np.zeros((64, 64), np.float32)
    >>> develop(draw_tiles(1, seed=0)[0], glass, glass, 32, jpeg=False).shape
    (32, 32, 3)
    """
    scanner = SCANNERS[tile.scanner]
    side = haematoxylin.shape[0]
    # The colour response raises light to a power, which multiplies its optical density.
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
    """Compress as JPEG and read again, uint8 (S, S, 3), RGB."""
    # OpenCV's codec reads and writes BGR.
    done, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not compress a tile as JPEG: its codec is missing")
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
