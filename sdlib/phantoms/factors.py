"""The latent factors of a tile: their meaning, their units, and how each class draws them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FACTORS", "Factor"]


@dataclass(frozen=True)
class Factor:
    """One latent factor and the distribution of its values in each class.

    A draw is ``centre[target] + sd * z`` on the factor's scale, clipped to ``low`` and ``high``.
    Tiles of one patient share a part of the standard normal ``z``, which is drawn once per patient
    or, where the classes differ, once for each of the patient's two kinds of tissue.

    Attributes
    ----------
    name : str
        Key in ``FACTORS``.
    unit : str
        Unit of its values.
    meaning : str
        What it is, in a few words.
    centre : tuple of float
        Centres of benign and of cancerous tiles; equal where the factor says nothing of the class.
    sd : float
        Standard deviation within a class.
    low, high : float
        Range of values.
    scale : {"linear", "log"}
        With ``"log"`` the centres are medians, and ``sd`` belongs to the natural logarithm.
    patient_share : float
        Share of the variance that the tiles of a patient have in common, 0 to 1.

    Examples
    --------
    >>> FACTORS["eosin"].informative, round(FACTORS["nuclear_size"].separation, 2)
    (False, 1.52)
    """

    name: str
    unit: str
    meaning: str
    centre: tuple[float, float]
    sd: float
    low: float
    high: float
    scale: str = "linear"
    patient_share: float = 0.3

    @property
    def informative(self) -> bool:
        """Whether the classes draw it differently."""
        return self.centre[0] != self.centre[1]

    @property
    def separation(self) -> float:
        """Distance of the classes in standard deviations (before clipping)."""
        benign, cancer = np.log(self.centre) if self.scale == "log" else self.centre
        return abs(float(cancer - benign)) / self.sd

    def values(self, targets: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Turn standard normals into values of the factor.

        Parameters
        ----------
        targets : numpy.ndarray
            int (n,), 0 benign or 1 cancer.
        z : numpy.ndarray
            float64 (n,), standard normals.

        Returns
        -------
        numpy.ndarray
            float64 (n,), in the factor's unit, within ``low`` and ``high``.

        Examples
        --------
        >>> FACTORS["gland_size"].values(np.array([0, 1]), np.zeros(2)).round(3).tolist()
        [36.0, 18.5]
        """
        centre = np.asarray(self.centre)[targets]
        drawn = centre * np.exp(self.sd * z) if self.scale == "log" else centre + self.sd * z
        return np.clip(drawn, self.low, self.high)


# One factor takes one or two lines, so that the table can be read as a table.
# fmt: off
FACTORS = {
    factor.name: factor
    for factor in (
        # Architecture.
        Factor("gland_size", "um", "mean radius of a gland", (36, 18.5), 0.34, 9, 70, "log"),
        Factor("gland_share", "share of area", "area under glands, if they do not touch",
               (0.41, 0.33), 0.13, 0.08, 0.72),
        Factor("lumen_fraction", "share of a gland", "area of the lumen in its gland",
               (0.37, 0.35), 0.11, 0.04, 0.75),
        Factor("folding", "share of radius", "papillary infolding of the lumen's border",
               (0.28, 0.10), 0.10, 0.0, 0.6),
        Factor("basal_layer", "share of perimeter", "perimeter covered by basal cells",
               (0.78, 0.18), 0.24, 0.0, 1.0),
        # Nuclei of the secretory layer.
        Factor("nuclear_size", "um", "mean radius of a secretory nucleus",
               (3.2, 3.9), 0.13, 2.0, 5.5, "log"),
        Factor("hyperchromasia", "concentration", "haematoxylin in a secretory nucleus",
               (1.0, 1.13), 0.16, 0.5, 1.7),
        Factor("nucleolar_prominence", "0 to 1", "share of nuclei with a nucleolus, and its size",
               (0.28, 0.50), 0.22, 0.0, 1.0),
        Factor("pleomorphism", "share of radius", "spread of nuclear size and shape",
               (0.11, 0.14), 0.05, 0.02, 0.4),
        Factor("nuclear_spacing", "um", "arc from nucleus to nucleus",
               (7.2, 8.8), 0.16, 5.0, 14.0, "log"),
        # These say nothing of the class.
        Factor("stroma_cellularity", "1/mm2", "spindle nuclei in stroma",
               (900, 900), 0.35, 200, 2500, "log"),
        Factor("inflammation", "1/mm2", "lymphocytes in stroma", (160, 160), 1.0, 5, 2500, "log"),
        Factor("fibre_angle", "rad", "direction of the stroma's fibres",
               (0, 0), 1.0, -3.1416, 3.1416, patient_share=0.0),
        Factor("haematoxylin", "1", "amount of haematoxylin, relative to the centre's mean",
               (1, 1), 0.23, 0.5, 1.9, "log", 0.6),
        Factor("eosin", "1", "amount of eosin, relative to the centre's mean",
               (1, 1), 0.20, 0.5, 1.8, "log", 0.6),
        Factor("stain_hue", "rad", "turn of both stain vectors from blue towards red",
               (0, 0), 0.035, -0.12, 0.12, patient_share=0.8),
        Factor("sharpness", "1/um", "1 / SD of the optical point spread, relative to the scanner's",
               (1, 1), 0.10, 0.6, 1.6, "log", 0.3),
    )
}
# fmt: on
"""Every latent factor by name.

On a tile, ``haematoxylin`` and ``eosin`` are multiplied by the means of centre and cohort, and
``sharpness`` by the mean of the scanner. ``gland_share`` becomes the tile's ``gland_density``.
"""
