"""Centres, scanners and cohorts: who stained the tissue, what scanned it, whose tissue it is."""

from __future__ import annotations

from dataclasses import dataclass

from sdlib.errors import ConfigError

__all__ = ["CENTRES", "COHORTS", "SCANNERS", "Centre", "Cohort", "Scanner", "find_cohort"]


@dataclass(frozen=True)
class Centre:
    """A laboratory and how it stains.

    Attributes
    ----------
    name : str
        Key in ``CENTRES``.
    haematoxylin, eosin : tuple of float
        Optical densities of R, G, B at concentration 1, as a vector of length about 1.
    haematoxylin_mean, eosin_mean : float
        Mean amounts of stain, relative to the development cohort.

    Examples
    --------
    >>> CENTRES["radboud"].eosin_mean
    0.75
    """

    name: str
    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    haematoxylin_mean: float = 1.0
    eosin_mean: float = 1.0


@dataclass(frozen=True)
class Scanner:
    """A slide scanner and what it does to light.

    Attributes
    ----------
    name : str
        Key in ``SCANNERS``.
    sharpness : float
        Mean of the tiles' sharpness, 1/um (see ``FACTORS``).
    unsharp : float
        Amount of the scanner's own unsharp masking; 0 is none.
    white : tuple of float
        Grey levels of empty glass in R, G, B, 0 to 255.
    gamma : float
        Exponent of the colour response; 1 is linear, above 1 darkens.
    noise : float
        Standard deviation of sensor noise, grey levels.
    jpeg_quality : int
        1 to 100.

    Examples
    --------
    >>> sorted(SCANNERS.values(), key=lambda scanner: scanner.sharpness)[0].name
    'flash2'
    """

    name: str
    sharpness: float
    unsharp: float
    white: tuple[float, float, float]
    gamma: float
    noise: float
    jpeg_quality: int


@dataclass(frozen=True)
class Cohort:
    """A set of patients from one centre.

    Attributes
    ----------
    name : str
        Key in ``COHORTS``.
    centre : str
        Key in ``CENTRES``.
    scanners : tuple of str
        Keys in ``SCANNERS``: what its slides were scanned with; the first is the default.
    n_patients : int
        Number of patients (of slides in the external cohort).
    haematoxylin_drift, eosin_drift : float
        Factors on the centre's mean amounts of stain, for stain batches age.

    Examples
    --------
    >>> COHORTS["development"].scanners
    ('axioscan', 'flash3')
    """

    name: str
    centre: str
    scanners: tuple[str, ...]
    n_patients: int
    haematoxylin_drift: float = 1.0
    eosin_drift: float = 1.0


# The two centres differ in the direction of both stain vectors, so that no multiplier of a stain
# turns one into the other.
CENTRES = {
    centre.name: centre
    for centre in (
        Centre("helsinki", (0.610, 0.685, 0.398), (0.155, 0.900, 0.407)),
        Centre("radboud", (0.520, 0.780, 0.348), (0.100, 0.846, 0.524), 1.15, 0.75),
    )
}
"""A laboratory that stains blue-violet and pink, and one that stains more purple and salmon."""

SCANNERS = {
    scanner.name: scanner
    for scanner in (
        Scanner("axioscan", 1.0, 0.0, (243.0, 242.0, 244.0), 1.0, 2.0, 90),
        Scanner("flash3", 1.4, 0.6, (247.0, 244.0, 246.0), 1.08, 2.6, 85),
        Scanner("flash2", 0.6, 0.25, (238.0, 232.0, 240.0), 0.9, 3.2, 80),
    )
}
"""The paper's scanners by name. Their properties are invented; only the order of their sharpness
follows the paper."""

COHORTS = {
    cohort.name: cohort
    for cohort in (
        Cohort("development", "helsinki", ("axioscan", "flash3"), 30),
        Cohort("later", "helsinki", ("axioscan",), 60, 0.95, 1.1),
        Cohort("external", "radboud", ("flash2",), 40),
    )
}
"""The paper's three cohorts: 30 patients scanned twice, 60 later patients of the same centre, and
40 slides of another centre."""


def find_cohort(name: str, scanner: str | None = None) -> tuple[Cohort, str]:
    """Look a cohort up by its name, and the scanner to use with it.

    Parameters
    ----------
    name : str
        A key of ``COHORTS``.
    scanner : str, optional
        One of the cohort's scanners, by default its first.

    Returns
    -------
    cohort : Cohort
        The cohort of that name.
    scanner : str
        A key of ``SCANNERS``.

    Raises
    ------
    ConfigError
        An unknown cohort, or a scanner that its slides were not scanned with.

    Examples
    --------
    >>> find_cohort("development")[1]
    'axioscan'
    """
    if name not in COHORTS:
        raise ConfigError(f"expected a cohort of {', '.join(COHORTS)}, got {name!r}")
    cohort = COHORTS[name]
    if scanner is None:
        scanner = cohort.scanners[0]
    if scanner not in cohort.scanners:
        have = ", ".join(cohort.scanners)
        raise ConfigError(f"expected a scanner of cohort {name} ({have}), got {scanner!r}")
    return cohort, scanner
