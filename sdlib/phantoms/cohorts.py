"""Who the tissue comes from and what it was scanned with: centres, scanners and cohorts."""

from __future__ import annotations

from dataclasses import dataclass

from sdlib.errors import ConfigError

__all__ = ["CENTRES", "COHORTS", "SCANNERS", "Centre", "Cohort", "Scanner", "find_cohort"]


@dataclass(frozen=True)
class Centre:
    """A laboratory: how it stains.

    Attributes:
        haematoxylin: optical density of R, G, B at concentration 1; a unit vector.
        eosin: the same for eosin.
        haematoxylin_mean: mean amount of haematoxylin (1 is the development cohort's).
        eosin_mean: mean amount of eosin.
    """

    name: str
    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    haematoxylin_mean: float = 1.0
    eosin_mean: float = 1.0


@dataclass(frozen=True)
class Scanner:
    """A slide scanner: what it does to light.

    Attributes:
        sharpness: mean of the tiles' sharpness, 1/um (see ``FACTORS``).
        unsharp: amount of its own unsharp masking, 0 is none.
        white: grey level of empty glass in R, G, B, 0 to 255.
        gamma: exponent of the colour response (1 is linear; above 1 darkens).
        noise: standard deviation of sensor noise in grey levels.
        jpeg_quality: 1 to 100.
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

    Attributes:
        scanners: names of the scanners its slides were scanned with; the first is the default.
        n_patients: patients (slides, in the external cohort).
        haematoxylin_drift: factor on the centre's mean haematoxylin (stain batches age).
        eosin_drift: the same for eosin.
    """

    name: str
    centre: str
    scanners: tuple[str, ...]
    n_patients: int
    haematoxylin_drift: float = 1.0
    eosin_drift: float = 1.0


CENTRES = {
    centre.name: centre
    for centre in (
        Centre("helsinki", (0.610, 0.685, 0.398), (0.155, 0.900, 0.407)),
        Centre("radboud", (0.520, 0.780, 0.348), (0.100, 0.846, 0.524), 1.15, 0.75),
    )
}
"""Stain vectors of a blue-violet and pink laboratory, and of a more purple and salmon one."""

SCANNERS = {
    scanner.name: scanner
    for scanner in (
        Scanner("axioscan", 1.0, 0.0, (243.0, 242.0, 244.0), 1.0, 2.0, 90),
        Scanner("flash3", 1.4, 0.6, (247.0, 244.0, 246.0), 1.08, 2.6, 85),
        Scanner("flash2", 0.6, 0.25, (238.0, 232.0, 240.0), 0.9, 3.2, 80),
    )
}
"""Named after those of the paper; their properties are invented, only their order is meant."""

COHORTS = {
    cohort.name: cohort
    for cohort in (
        Cohort("development", "helsinki", ("axioscan", "flash3"), 30),
        Cohort("later", "helsinki", ("axioscan",), 60, 0.95, 1.1),
        Cohort("external", "radboud", ("flash2",), 40),
    )
}
"""The paper's three: 30 cases scanned twice, 60 later cases, 40 slides of another centre."""


def find_cohort(name: str, scanner: str | None = None) -> tuple[Cohort, str]:
    """The cohort of that name and the scanner to use, its first unless one is named.

    Raises:
        ConfigError: an unknown cohort, or a scanner that its slides were not scanned with.

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
