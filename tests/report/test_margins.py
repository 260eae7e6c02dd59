"""Margins and caps on written logits whose places are known."""

import numpy as np
import pytest

from sdlib.losses import resting_logits
from sdlib.report import margins
from tests.written_results import TARGETS


def test_beyond_counts_each_class_on_its_own_side():
    logits = np.array([-5.0, -3.0, 9.0, -9.0, 4.0, 6.1])
    targets = np.array([0, 0, 0, 1, 1, 1])
    assert margins.beyond(logits, targets, (-4.0, 6.0)) == pytest.approx(2 / 6)
    assert margins.beyond(logits, targets, (-np.inf, np.inf)) == 0


@pytest.mark.parametrize("arm", ["sd_eq1", "sd_eq2"])
def test_binding_is_counted_tile_by_tile(rows, arm):
    setting = rows.setting(arm)
    negative, positive = resting_logits(setting["lam"], setting["gamma"] or (0.0, 0.0))
    found = margins.binding(rows, arm)
    assert (found["negative"], found["positive"]) == (negative, positive)
    for name, whose in (("own", arm), ("free", "weight_decay")):
        counted = [
            sum(
                (f > positive) if target else (f < negative)
                for f, target in zip(logits, TARGETS, strict=True)
            )
            / len(TARGETS)
            for logits in rows.logits(whose, "validation").values()
        ]
        assert found[name] == pytest.approx(np.mean(counted))
    signed = [
        np.mean(np.where(TARGETS == 1, f, -f)) for f in rows.logits(arm, "validation").values()
    ]
    assert found["margin"] == pytest.approx(np.mean(signed), rel=1e-6)


def test_an_arm_without_penalty_has_no_cap(rows):
    assert margins.binding(rows, "weight_decay") == {}


def test_without_rows_nothing_is_said(nothing):
    assert margins.binding(nothing, "sd_eq1") == {}
    assert not len(margins.binding_table([nothing]))


def test_the_table_has_a_line_for_every_penalty(rows):
    table = margins.binding_table([rows])
    labels = [rows.label(arm) for arm in rows.arms if arm.startswith("sd_")]
    assert table.index.get_level_values(1).tolist() == labels
    assert set(table.index.get_level_values(0)) == {rows.name}
    line = table.loc[rows.name, rows.label("sd_eq1")]
    assert line["weight decay's tiles beyond it"].endswith("%")
