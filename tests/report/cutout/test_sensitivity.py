"""The map around the tuned point, against differences taken by hand."""

import numpy as np
import pytest

from sdlib.experiments.cutout_sensitivity import SENSITIVITY
from sdlib.report.cutout.sensitivity import sensitivity_map
from tests.written_results import write_run, write_search


@pytest.mark.parametrize("pair", ["lam", "gamma"])
def test_the_map_around_the_tuned_point_is_paired(rows, pair):
    around = rows.of("cutout_sensitivity")
    mean, sd, n = sensitivity_map(around, pair)
    assert n == 3
    centre = rows.values("test.accuracy", "sd_eq2_test_tuned")[:3]
    for arm in SENSITIVITY:
        if arm.step.pair == pair:
            entry = arm.step.benign + 1, arm.step.cancer + 1
            change = around.values("test.accuracy", arm.name) - centre
            assert mean[entry] == pytest.approx(change.mean())
            assert sd[entry] == pytest.approx(change.std(ddof=1))
    assert mean[1, 1] == sd[1, 1] == 0


def test_a_map_with_holes_says_so(nothing):
    write_search("cutout", "sd_eq2_test", 3)
    write_run("cutout", "sd_eq2_test_tuned", 0)
    write_run("cutout_sensitivity", "lam_+0_+1", 0)
    mean, sd, n = sensitivity_map(nothing.of("cutout_sensitivity"), "lam")
    assert n == 0
    assert np.isfinite(mean).sum() == 2
    assert np.isfinite(sd).sum() == 1  # one seed has no spread
    assert sensitivity_map(nothing.of("cutout_sensitivity"), "gamma")[2] == 0
