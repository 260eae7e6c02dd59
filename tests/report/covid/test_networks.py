"""Every network beside its ensemble, from known logits, against scikit-learn."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from sdlib.experiments.covid import DECAY, SD
from sdlib.report.covid.networks import draw_networks
from sdlib.report.covid.situations import SITUATIONS

TARGETS = np.tile([0, 1], 50)
A, B = SITUATIONS.values()


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (2, 3, 2, len(TARGETS)))
    found = {}
    for arm, of_arm in zip((DECAY, SD), noise, strict=True):
        found[arm] = {
            seed: {"test": 2 * TARGETS + inside, "external": TARGETS + outside}
            for seed, (inside, outside) in enumerate(of_arm)
        }
    return found


@pytest.fixture
def place(written, logits):
    return written(TARGETS, logits)


def ensemble(logits, arm, cohort):
    return np.mean([expit(one[cohort]) for one in logits[arm].values()], axis=0)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_networks_means_and_ensembles_are_drawn(place, logits):
    figure = draw_networks([place], (DECAY, SD), "nothing")
    for ax, cohort in zip(figure.axes, ("test", "external"), strict=True):
        stars = [line for line in ax.get_lines() if line.get_marker() == "*"]
        for star, arm in zip(stars, (DECAY, SD), strict=True):
            area = roc_auc_score(TARGETS, ensemble(logits, arm, cohort))
            assert star.get_xdata().tolist() == pytest.approx([area])
            assert star.get_color() == place.look(arm).colour
        points = [line.get_xdata() for line in ax.get_lines() if line.get_alpha() == 0.35]
        for drawn, arm in zip(points, (DECAY, SD), strict=True):
            areas = [roc_auc_score(TARGETS, one[cohort]) for one in logits[arm].values()]
            np.testing.assert_allclose(drawn, areas)
    assert figure.axes[0].get_xlabel() == "AUROC inside"
    assert figure.axes[1].get_xlabel() == "AUROC outside"


def test_both_situations_in_two_rows(written, logits, place):
    added = written(TARGETS, logits, experiment="covid_added")
    figure = draw_networks([added, place], (DECAY,), "nothing")
    titles = [ax.get_title(loc="left") for ax in figure.axes[::2]]
    assert titles == [f"{A}\n{place.name}; n = 3 seeds", f"{B}\n{added.name}; n = 3 seeds"]


def test_without_rows_it_says_what_is_missing(empty, place):
    assert "no rows yet" in texts(draw_networks([empty()], (SD,), "no rows yet"))
    assert "no rows yet" in texts(draw_networks([place], (f"{SD}_tuned",), "no rows yet"))
