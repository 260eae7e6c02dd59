"""How well anyone could tell the classes apart: the AUROC of the best possible score."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from sdlib.phantoms.radiograph.film_factors import PATIENT_FACTORS
from sdlib.phantoms.radiograph.signature import find_hospital

__all__ = ["bayes_auroc"]


def bayes_auroc(hospital: str = "c", use_view: bool = True) -> float:
    """AUROC of someone who knows every factor of every film of a hospital.

    Two factors differ between the classes: the opacity, whose logarithm is normal with one variance
    and centres d standard deviations apart, and in hospital a the view. The best score is the sum
    of both log-likelihood ratios. Without the view its AUROC is that of two normals,
    Phi(d / sqrt(2)) = 0.946. Patients are taken as unrelated: earlier films of one are not used.

    Parameters
    ----------
    hospital : str
        A key of ``HOSPITALS``.
    use_view : bool
        Without it, of someone who knows the opacity alone.

    Returns
    -------
    float
        0.5 to 1.

    Raises
    ------
    ConfigError
        An unknown hospital.

    Examples
    --------
    >>> round(bayes_auroc("c"), 3), round(bayes_auroc("a"), 3)
    (0.946, 0.951)
    """
    distance = PATIENT_FACTORS["opacity"].separation
    without, with_disease = find_hospital(hospital).ap
    if not use_view:
        with_disease = without
    # Shares of PA and AP in each class.
    negative = np.array([1 - without, without])
    positive = np.array([1 - with_disease, with_disease])
    ratio = np.log(positive / negative)
    # For each pair of views, the difference of two scores is normal.
    mean = distance**2 + ratio[:, None] - ratio
    wins = ndtr(mean / (distance * np.sqrt(2)))
    return float(positive @ wins @ negative)
