"""One step around the tuned values of Equation 2: what does it cost? (claim C3)"""

from __future__ import annotations

import numpy as np

from sdlib.results import Place

__all__ = ["sensitivity_map"]


def sensitivity_map(
    around: Place, pair: str, metric: str = "test.accuracy", centre: str = "sd_eq2_test_tuned"
) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean change of a metric one step around the tuned point, and its SD over seeds.

    Parameters
    ----------
    around : Place
        Of ``cutout_sensitivity``; the centre's rows are of ``cutout`` at the same place.
    pair : str
        ``lam`` or ``gamma``: which pair of values is stepped.
    metric, centre : str
        What is compared; the arm in the middle.

    Returns
    -------
    mean, sd : numpy.ndarray
        float64 (3, 3): rows are steps -1, 0, +1 of the benign class's value, columns of the
        cancerous class's; paired with the centre, whose entry is 0. NaN where there are no rows.
    n : int
        The smallest number of seeds of an entry; 0 where one is missing.
    """
    mean, sd, counts = np.full((3, 3), np.nan), np.full((3, 3), np.nan), []
    mean[1, 1] = sd[1, 1] = 0.0
    middle = around.of("cutout").by_seed(metric, centre)
    for arm in around.definition.arms:
        if arm.step is None or arm.step.pair != pair:
            continue
        change = (around.by_seed(metric, arm.name) - middle).dropna().to_numpy(np.float64)
        counts.append(len(change))
        if not len(change):
            continue
        entry = arm.step.benign + 1, arm.step.cancer + 1
        mean[entry] = change.mean()
        if len(change) > 1:
            sd[entry] = change.std(ddof=1)
    return mean, sd, min(counts, default=0)
