"""Tables and figure of linear heads: means by hand, the choice inside, what the axes show."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from sdlib.report.covid.linear_heads import (
    chosen_heads,
    heads_summary,
    heads_table,
    source_table,
    strength_figure,
)
from sdlib.results.linear_heads import ALL_FILMS, HEAD_COLUMNS, SOURCE_COLUMNS

STRENGTHS = (1.0, 0.1, 0.01)


def line(arm, stage, strength, films, subset, validation, outside):
    values = (validation, 0.75, outside, 0.5, 0.0)
    return ("added", arm, stage, strength, films, films or 61, 0, subset, *values)


@pytest.fixture
def heads():
    """Weight decay is best inside at .1, and outside at 1; spectral decoupling is alike for all."""
    lines = []
    for films, subsets in ((20, 3), (ALL_FILMS, 1)):
        for subset in range(subsets):
            shift = 0.01 * subset
            for number, strength in enumerate(STRENGTHS):
                lines += [
                    line("sd_eq1", stage, strength, films, subset, 0.7, 0.6 + shift)
                    for stage in ("rest", "theory", "steps")
                ]
                inside, outside = 0.8 - 0.1 * abs(number - 1), 0.75 - 0.05 * number
                lines += [
                    line("weight_decay", stage, strength, films, subset, inside, outside + shift)
                    for stage in ("rest", "steps")
                ]
            lines.append(line("weight_decay", "theory", np.inf, films, subset, 0.6, 0.75))
            lines.append(line("sd_eq2", "rest", np.nan, films, subset, 0.9, 0.6))
    return pd.DataFrame(lines, columns=list(HEAD_COLUMNS))


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_means_and_spreads_by_hand(heads):
    found = heads_summary(heads).set_index(["films", "arm", "stage", "strength"])
    one = found.loc[(20, "weight_decay", "rest", 0.1)]
    assert one["n"] == 3
    assert one["outside"] == pytest.approx(0.71)
    assert one["outside_sd"] == pytest.approx(0.01)
    assert np.isnan(found.loc[(ALL_FILMS, "weight_decay", "rest", 0.1)]["outside_sd"])
    assert heads_summary(heads)["n"].sum() == len(heads)  # Equation 2, without strength, as well


def test_what_is_chosen_is_chosen_inside(heads):
    chosen = chosen_heads(heads)
    assert len(chosen) == 2 * 4
    assert set(chosen["stage"]) == {"rest"}
    strengths = chosen.groupby("arm")["strength"].agg(set).to_dict()
    assert strengths == {"sd_eq1": {1.0}, "weight_decay": {0.1}}


def test_a_rounding_is_no_reason_to_choose(heads):
    weak = (heads["arm"] == "sd_eq1") & (heads["strength"] == 0.01)
    rounded = heads.assign(validation=heads["validation"] + 1e-7 * weak)
    assert chosen_heads(rounded).index.equals(chosen_heads(heads).index)


def test_films_outside_change_no_choice(heads):
    rng = np.random.default_rng(0)
    other = heads.assign(outside=rng.permutation(heads["outside"]))
    assert chosen_heads(other).index.equals(chosen_heads(heads).index)


def test_the_table(heads):
    table = heads_table(heads).set_index("films")
    assert list(table.index) == ["20", "all (61)"]
    few = table.loc["20"]
    assert few["outside, spectral decoupling (Eq. 1)"] == "0.610 (0.010)"
    assert few["outside, weight decay"] == "0.710 (0.010)"
    assert few["SD minus weight decay outside, points"] == "-10.0 (0.0)"
    assert table["subsets"].tolist() == ["3", "1"]
    assert table.loc["all (61)", "outside, weight decay"] == "0.700"


def test_the_table_of_sources():
    lines = [("added", "cohen", 30, 0, 0.9), ("added", "cohen", 32, 1, 0.92)]
    table = source_table(pd.DataFrame(lines, columns=list(SOURCE_COLUMNS)))
    assert table.to_numpy().tolist() == [["added", "cohen", "31", "0.910 (0.014)"]]


def test_the_figure_shows_every_line(heads):
    fig = strength_figure(heads)
    decoupling, decay = fig.axes
    labels = [text.get_text() for text in decay.get_legend().get_texts()]
    assert labels == ["20", "all (61)"]
    # Chance; then at rest, the star, its SD, after steps, and theory, for either number of films,
    # of which one has no SD.
    assert [len(ax.lines) for ax in (decoupling, decay)] == [10, 10]
    rest, star, spread, _, theory = decay.lines[1:6]
    np.testing.assert_allclose(spread.get_ydata(), [0.70, 0.72])
    np.testing.assert_allclose(rest.get_xdata(), STRENGTHS[::-1])
    np.testing.assert_allclose(rest.get_ydata(), [0.66, 0.71, 0.76])
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([0.1], [pytest.approx(0.71)])
    assert theory.get_linestyle() == "--"
    np.testing.assert_allclose(decoupling.lines[5].get_ydata(), 0.61)


def test_without_heads_the_figure_says_so():
    empty = pd.DataFrame(columns=list(HEAD_COLUMNS))
    fig = strength_figure(empty, missing="nothing yet")
    assert fig.axes[0].texts[0].get_text() == "nothing yet"
    assert heads_table(empty).empty
    assert source_table(pd.DataFrame(columns=list(SOURCE_COLUMNS))).empty
