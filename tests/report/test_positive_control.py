"""The positive control's table, sentence and figure show the numbers of a grid that is known."""

import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import stats

from sdlib.metrics import mean_interval
from sdlib.report import positive_control as module
from sdlib.report.positive_control import (
    control_figure,
    control_sentence,
    control_table,
    library_sentence,
    positive_control,
)
from sdlib.theory.moons_grid import MoonsGrid, run_grid


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


def test_the_librarys_loss_gives_the_accuracy_of_the_grid():
    small = {"epochs": 40, "hidden": 16}
    grid = run_grid([0.5, 0.1], [0.3, 0.01], seeds=[4, 2], **small)
    said = library_sentence(grid, **small)
    again, own = re.findall(r"([\d.]+)%", said)
    assert float(again) == pytest.approx(float(own), abs=0.2)
    assert float(own) == pytest.approx(100 * grid.test("sd")[0], abs=0.06)
    assert f"λ = {grid.strengths['sd'][grid.chosen('sd')]:g}" in said


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


class TestCache:
    """A second process finds the grid of the first, unless code or file have changed."""

    @pytest.fixture
    def trained(self, grid, outputs, monkeypatch):
        """How often the grid was trained."""
        times = []

        def run():
            times.append(1)
            return grid

        monkeypatch.setattr(module, "run_grid", run)
        positive_control.cache_clear()
        yield times
        positive_control.cache_clear()

    @staticmethod
    def as_in_a_new_process():
        positive_control.cache_clear()
        return positive_control()

    def test_the_same_grid_comes_back(self, trained, grid):
        positive_control()
        found = self.as_in_a_new_process()
        assert len(trained) == 1
        assert found.strengths == grid.strengths
        assert found.seeds == grid.seeds
        for arm, sets in grid.accuracies.items():
            for name, values in sets.items():
                np.testing.assert_array_equal(found.accuracies[arm][name], values)
        assert control_sentence(found) == control_sentence(grid)

    @pytest.mark.parametrize("content", ["", "[1]", "{}", '{"strengths": {"sd": 1}}'])
    def test_a_damaged_file_is_made_again(self, trained, outputs, content):
        positive_control()
        (file,) = outputs.rglob("moons-grid-*.json")
        file.write_text(content)
        self.as_in_a_new_process()
        assert len(trained) == 2
        self.as_in_a_new_process()
        assert len(trained) == 2

    def test_other_code_is_another_grid(self, trained, tmp_path, monkeypatch):
        positive_control()
        other = tmp_path / "moons.py"
        other.write_text("LEARNING_RATE = 0.02")
        monkeypatch.setattr(module.moons, "__file__", str(other))
        self.as_in_a_new_process()
        assert len(trained) == 2
