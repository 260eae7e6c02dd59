"""What the tissue's factors allow, against the factors' own distributions."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from sdlib.datasets.splits import PARTS, deal
from sdlib.metrics import mean_interval
from sdlib.phantoms import FACTORS, draw_tiles, tabulate
from sdlib.report import factor_baseline


def test_matrix_has_logarithms_where_factors_are_drawn_so():
    columns = tabulate(draw_tiles(6, seed=0))
    matrix = factor_baseline.factor_matrix(columns)
    assert matrix.shape == (6, len(FACTORS))
    np.testing.assert_array_equal(matrix[:, 0], np.log(columns["gland_size"]))
    np.testing.assert_array_equal(matrix[:, 1], columns["lumen_fraction"])
    np.testing.assert_array_equal(matrix[:, -1], np.log(columns["gland_density"]))


def test_accuracy_is_near_what_independent_normals_of_these_distances_allow():
    """Linear discrimination of normals: half of the distance decides; clipping costs a little."""
    distance = np.sqrt(sum(f.separation**2 for f in FACTORS.values() if f.informative))
    found = factor_baseline.factor_accuracy("laptop")
    assert list(found) == ["validation", "test"]
    for accuracy in found.values():
        assert accuracy == pytest.approx(norm.cdf(distance / 2), abs=0.015)


def test_patients_are_dealt_once():
    groups = np.repeat([f"p{k:02d}" for k in range(30)], 4)
    parts = deal(groups, seed=3)
    assert tuple(parts) == PARTS
    assert (np.sum(list(parts.values()), axis=0) == 1).all()
    assert [len(np.unique(groups[chosen])) for chosen in parts.values()] == [21, 4, 5]
    assert any((deal(groups, seed=4)[part] != parts[part]).any() for part in PARTS)


def test_the_table_has_a_line_per_place_on_phantoms_with_rows():
    values = {"validation": [0.95, 0.97], "test": [0.9, 0.92, 0.94]}

    def place(source="phantom", arms=("weight_decay_none",)):
        def interval(metric, arm):
            assert arm == "weight_decay_none"
            return mean_interval(np.array(values[metric.split(".")[0]]))

        return SimpleNamespace(
            name=f"{source} {arms}", source=source, arms=arms, profile="quick", interval=interval
        )

    table = factor_baseline.clean_table([place(), place(source="open"), place(arms=())])
    assert len(table) == 1
    line = table.iloc[0]
    assert line["test"].startswith("0.920 (0.020) [")
    assert line["validation"] == "0.950 and 0.970, two seeds"
    assert line["test, from factors"] == f"{factor_baseline.factor_accuracy('quick')['test']:.3f}"
    assert factor_baseline.clean_table([]).empty
