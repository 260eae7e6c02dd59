"""Every trial of every search, on trials that are written here and so are known."""

from dataclasses import replace

import pytest

from sdlib.report.search_figure import COHORTS, LOST, search_trials
from sdlib.results import Place
from tests.written_results import SEARCHES


def test_searches_have_their_arms_looks_and_the_chosen_trial_a_circle(rows):
    figure = search_trials(rows)
    by_name = {ax.get_title().split("\n")[0]: ax for ax in figure.axes}
    assert SEARCHES.keys() < by_name.keys()
    tuned = by_name["sd_eq2_test"]
    trials, circle = tuned.lines[:2]
    mine = rows.trials[rows.trials["family"] == "sd_eq2_test"]
    assert trials.get_color() == rows.look("sd_eq2_test_tuned").colour
    edge = rows.trials[COHORTS].median() - LOST
    near = mine[(mine[COHORTS] >= edge).all(axis=1)]
    assert trials.get_xdata() == pytest.approx(near["validation"])
    assert trials.get_ydata() == pytest.approx(near["test"])
    (best,) = mine[mine["best"]].itertuples()
    at = max(best.validation, edge["validation"]), max(best.test, edge["test"])
    assert (*circle.get_xdata(), *circle.get_ydata()) == at
    runs = rows.interval("test.accuracy", "sd_eq2_test_tuned").mean
    title = f"sd_eq2_test\n20 trials\ntest accuracy {best.value:.3f}, runs {runs:.3f}"
    assert tuned.get_title() == title


def test_a_search_that_auroc_judged_has_aurocs_in_its_title():
    place = Place("covid", "laptop", "phantom")
    titles = [ax.get_title() for ax in search_trials(place).axes]
    best = place.trials[place.trials["best"]].set_index("family").loc["sd_eq2", "value"]
    runs = place.interval("validation.auroc", "sd_eq2_tuned").mean
    (title,) = [one for one in titles if one.startswith("sd_eq2\n")]
    assert title.endswith(f"\nvalidation AUROC {best:.3f}, runs {runs:.3f}")


def test_a_taken_trial_beyond_the_edge_has_its_circle_on_the_edge(rows):
    here = replace(rows)
    trials = rows.trials.copy()
    (taken,) = trials.index[(trials["family"] == "sd_eq2") & trials["best"]]
    trials.loc[taken, "test"] = 0.3
    vars(here)["trials"] = trials  # in place of what would be read from files
    edge = trials[COHORTS].median() - LOST
    ax = next(ax for ax in search_trials(here).axes if ax.get_title().startswith("sd_eq2\n"))
    circle, triangles = ax.lines[1:]
    assert circle.get_ydata() == pytest.approx(edge["test"])
    assert circle.get_xdata() == pytest.approx(
        max(trials.loc[taken, "validation"], edge["validation"])
    )
    assert edge["test"] in triangles.get_ydata()


def test_the_common_learning_rate_has_no_runs_of_its_own(rows):
    ax = next(ax for ax in search_trials(rows).axes if ax.get_title().startswith("learning_rate"))
    assert "runs" not in ax.get_title()
    assert ax.lines[0].get_color() == rows.look("weight_decay").colour


def test_trials_that_learned_little_are_triangles_at_the_edge(rows):
    edge = rows.trials[COHORTS].median() - LOST
    lost = (rows.trials[COHORTS] < edge).any(axis=1)
    assert 0 < lost.sum() < len(lost)
    drawn = 0
    for ax in search_trials(rows).axes:
        for line in ax.lines[2:]:
            assert line.get_marker() == "v"
            assert (line.get_xdata() >= edge["validation"]).all()
            assert (line.get_ydata() >= edge["test"]).all()
            drawn += len(line.get_xdata())
    assert drawn == lost.sum()


def test_without_trials_it_says_how_to_make_them(nothing):
    (ax,) = search_trials(nothing).axes
    assert "make reproduce PROFILE=laptop" in ax.texts[0].get_text()
