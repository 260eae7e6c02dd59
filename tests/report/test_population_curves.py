"""The figure of the population optimum has the numbers of the theory."""

import numpy as np
import pytest

from sdlib.report.population_curves import population_curves
from sdlib.theory.population import cutoff_worth, population_logits

SETTINGS = {
    "one": (0.01, (0.0, 0.0)),
    "two": ((0.0969, 0.000698), (1.83, 2.61)),
}


def test_curves_are_the_best_logits_and_dots_the_cutoffs():
    (ax,) = population_curves(SETTINGS, ["sd_eq1", "sd_eq2"]).axes
    lines = {line.get_label(): line for line in ax.lines}
    for name, (lam, gamma) in SETTINGS.items():
        cutoff = cutoff_worth(lam, gamma)
        posteriors, logits = lines[f"{name}: 0 at {cutoff:.3f}"].get_data()
        assert np.allclose(logits, population_logits(posteriors, lam, gamma))
    dots = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert dots == pytest.approx([cutoff_worth(*values) for values in SETTINGS.values()])
