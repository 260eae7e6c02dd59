"""What chapter 9's figure shows, against scikit-learn and a count by hand."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.special import expit
from sklearn.metrics import accuracy_score, log_loss

from sdlib.metrics import margins
from sdlib.plotting import ARMS
from sdlib.report.training_curves import draw_training, epoch_table
from sdlib.theory.heads import margin_cap

RNG = np.random.default_rng(0)
TARGETS = RNG.integers(0, 2, 200)
LOGITS = [RNG.normal(3 * TARGETS - 1.5, scale) for scale in (1.0, 2.0, 3.0)]
HISTORY = [{"train": margins(f, TARGETS), "validation": margins(f, TARGETS)} for f in LOGITS]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_loss_and_accuracy_are_those_of_the_logits():
    found = epoch_table(HISTORY, lam=0.1)
    for epoch, f in enumerate(LOGITS):
        assert found["cross-entropy"][epoch] == pytest.approx(log_loss(TARGETS, expit(f)))
        assert found["accuracy"][epoch] == accuracy_score(TARGETS, f > 0)


def test_margins_are_counted_beyond_the_cap():
    found = epoch_table(HISTORY, lam=0.1)
    cap = margin_cap(0.1)
    for epoch, one in enumerate(HISTORY):
        inside = (one["train"] >= found["low"][epoch]) & (one["train"] <= found["high"][epoch])
        assert inside.mean() == pytest.approx(0.8, abs=0.01)
        assert found["beyond"][epoch] == sum(m > cap for m in one["train"]) / 200
        assert found["mean"][epoch] == pytest.approx(one["train"].mean())


def test_the_figure_has_a_line_per_arm_and_the_cap():
    fig = draw_training({"weight_decay": HISTORY, "sd_eq1": HISTORY[:2]}, lam=0.1)
    large, loss, accuracy = fig.axes
    labels = [text.get_text() for text in large.get_legend().get_texts()]
    assert labels == [ARMS["weight_decay"].label, ARMS["sd_eq1"].label, "cap of λ = 0.1"]
    found = epoch_table(HISTORY, lam=0.1)
    assert large.lines[0].get_ydata().tolist() == found["mean"].tolist()
    assert large.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert large.lines[-1].get_ydata() == [margin_cap(0.1)] * 2
    assert loss.lines[1].get_ydata().tolist() == found["cross-entropy"][:2].tolist()
    assert accuracy.lines[0].get_ydata().tolist() == found["accuracy"].tolist()
