"""Haematoxylin and eosin: Macenko's estimate, separation, recombination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sdlib.errors import ConfigError

__all__ = [
    "MacenkoNormaliser",
    "Separation",
    "StainEstimate",
    "estimate_macenko",
    "fade_levels",
    "recombine",
    "separate",
]

IO = 240.0
REFERENCE_MATRIX = np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]])
REFERENCE_MATRIX /= np.linalg.norm(REFERENCE_MATRIX, axis=1, keepdims=True)
REFERENCE_MAX = np.array([1.9705, 1.0308])
MIN_TISSUE = 100
MIN_SHARE = 0.01
MIN_ANGLE = 0.05


@dataclass(frozen=True)
class StainEstimate:
    matrix: np.ndarray
    max_concentrations: np.ndarray
    fallback: bool


@dataclass(frozen=True)
class Separation:
    image: np.ndarray
    concentrations: np.ndarray
    estimate: StainEstimate


def _check_image(image):
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ConfigError("expected an RGB image uint8 (H, W, 3)")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ConfigError("expected an RGB image uint8 (H, W, 3)")


def _od(image, io):
    return -np.log((image.reshape(-1, 3).astype(np.float64) + 1) / io)


def estimate_macenko(image, io=IO, alpha=1.0, beta=0.15) -> StainEstimate:
    _check_image(image)
    fallback = StainEstimate(REFERENCE_MATRIX, REFERENCE_MAX, True)
    od = _od(image, io)
    tissue = od[(od >= beta).all(1)]
    if len(tissue) < max(MIN_TISSUE, MIN_SHARE * len(od)):
        return fallback
    vectors = np.linalg.eigh(np.cov(tissue.T))[1][:, 1:]
    mean = tissue.mean(0) @ vectors
    length = np.linalg.norm(mean)
    if not length > 1e-6:
        return fallback
    along = vectors @ mean / length
    across = vectors @ np.array([-mean[1], mean[0]]) / length
    phi = np.arctan2(tissue @ across, tissue @ along)
    low, high = np.percentile(phi, [alpha, 100 - alpha])
    if high - low < MIN_ANGLE or max(high, -low) >= np.pi / 2:
        return fallback
    ends = [np.cos(a) * along + np.sin(a) * across for a in (low, high)]
    matrix = np.array(sorted(ends, key=lambda v: -v[0]))
    top = np.percentile(od @ np.linalg.pinv(matrix), 99, axis=0)
    if top.min() <= 0:
        return fallback
    return StainEstimate(matrix, top, False)


def separate(image, estimate=None) -> Separation:
    _check_image(image)
    estimate = estimate or estimate_macenko(image)
    c = _od(image, IO) @ np.linalg.pinv(estimate.matrix)
    return Separation(image, c.T.reshape(2, *image.shape[:2]).astype(np.float32), estimate)


def recombine(separation, haematoxylin=1.0, eosin=1.0) -> np.ndarray:
    for name, value in (("haematoxylin", haematoxylin), ("eosin", eosin)):
        if not 0 <= value <= 1:
            raise ConfigError(f"expected a multiplier {name} from 0 to 1, got {value}")
    gone = np.array([1 - haematoxylin, 1 - eosin])[:, None, None]
    od = np.einsum("khw,kc->hwc", separation.concentrations * gone, separation.estimate.matrix)
    faded = (separation.image + 1.0) * np.exp(od) - 1
    return np.clip(np.rint(faded), 0, 255).astype(np.uint8)


def fade_levels(image, multipliers: Sequence[tuple[float, float]]) -> np.ndarray:
    separation = separate(image)
    return np.stack([recombine(separation, *pair) for pair in multipliers])


class MacenkoNormaliser:
    def __init__(self):
        self.target = StainEstimate(REFERENCE_MATRIX, REFERENCE_MAX, False)

    def fit(self, target):
        self.target = estimate_macenko(target)
        return self

    def transform(self, image):
        if image.ndim == 4:
            return np.stack([self.transform(one) for one in image])
        separation = separate(image)
        scale = self.target.max_concentrations / separation.estimate.max_concentrations
        od = np.einsum(
            "khw,kc->hwc", separation.concentrations * scale[:, None, None], self.target.matrix
        )
        return np.clip(IO * np.exp(-od), 0, 255).astype(np.uint8)
