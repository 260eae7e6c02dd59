"""The positive control's table, sentence and figure show the numbers of a grid that is known."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import stats

from sdlib.metrics import mean_interval
from sdlib.report.positive_control import control_figure, control_sentence, control_table
from sdlib.theory.moons_grid import MoonsGrid


@pytest.fixture(autouse=True)
def agg():
    """Draw into memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


@pytest.fixture
def grid():
    rng = np.random.default_rng(0)

    def accuracies(level, strengths):
        return {
            "training": np.ones((strengths, 4)),
            "validation": level + 0.01 * np.arange(strengths)[:, None] + np.zeros((1, 4)),
            "test": level + 0.02 * rng.random((strengths, 4)),
        }

    found = {
        "cross_entropy": accuracies(0.80, 1),
        "weight_decay": accuracies(0.82, 3),
        "sd": accuracies(0.93, 3),
    }
    return MoonsGrid({"weight_decay": (0.1, 1, 10), "sd": (0.2, 2, 20)}, (0, 1, 2, 3), found)


def test_the_table_has_the_paired_gain_at_the_chosen_strengths(grid):
    table = control_table(grid)
    assert table["strength"].tolist() == ["", "10", "20"]
    sd, decay = (grid.accuracies[arm]["test"][2] for arm in ("sd", "weight_decay"))
    low, high = stats.t.interval(0.95, 3, np.mean(sd - decay), stats.sem(sd - decay))
    expected = f"{100 * np.mean(sd - decay):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    shown = table.loc["weight decay", "SD gains"]
    assert shown.replace("\u00a0", " ") == expected
    assert " " not in shown
    assert table.loc["spectral decoupling", "SD gains"] == ""
    assert table.loc["weight decay", "test"] == f"{decay.mean():.3f}"
    assert shown in control_sentence(grid)
    assert "over 4 seeds" in control_sentence(grid)
    assert "best of 3 strengths" in control_sentence(grid)


def test_every_seed_every_interval_and_the_choice_are_drawn(grid):
    axes = control_figure(grid).axes
    for ax, arm in zip(axes, ("weight_decay", "sd"), strict=True):
        test = grid.accuracies[arm]["test"]
        (dots,) = (line for line in ax.lines if line.get_gid() == f"{arm}:seeds")
        assert sorted(dots.get_ydata()) == pytest.approx(sorted(test.ravel()))
        (ring,) = ax.collections[-1].get_offsets()
        assert ring.tolist() == pytest.approx([grid.strengths[arm][2], test[2].mean()])
        (bars,) = ax.containers
        segment = bars.lines[2][0].get_segments()[0][:, 1]
        interval = mean_interval(test[0])
        assert segment == pytest.approx([interval.low, interval.high])
    assert axes[0].get_ylim() == axes[1].get_ylim()


def test_one_seed_has_no_interval_but_a_figure(grid):
    one = {
        arm: {name: values[:, :1] for name, values in found.items()}
        for arm, found in grid.accuracies.items()
    }
    lone = MoonsGrid(grid.strengths, (0,), one)
    control_figure(lone).canvas.draw()
    table = control_table(lone)
    assert table.loc["weight decay", "test, 95 % interval"] == ""
    assert table.loc["weight decay", "SD gains"].startswith("+")
    assert "nan" not in table.to_string()
