"""Best trials and new networks, on trials and rows that are written here and so are known."""

import json

import numpy as np
import pytest

from sdlib.experiments import Search
from sdlib.report import optimism
from sdlib.report.tables import describe
from sdlib.results import Place

ARMS = ("weight_decay_tuned", "sd_eq1_tuned", "sd_eq2_tuned", "sd_eq2_test_tuned")


def best_of(family):
    search = Search("cutout", family, "laptop", "phantom")
    trials = [json.loads(line) for line in search.file.read_text().splitlines()]
    return max(trials, key=lambda trial: trial["value"])


@pytest.mark.parametrize("arm", ARMS)
def test_optimism_is_new_networks_minus_the_best_trial_where_it_was_judged(rows, arm):
    family = rows.definition.arm(arm).search
    cohort = "test" if family.endswith("_test") else "validation"
    best = best_of(family)
    assert best["judged_on"] == cohort
    expected = rows.values(f"{cohort}.accuracy", arm) - best["metrics"][cohort]["accuracy"]
    assert optimism.optimism(rows, arm) == pytest.approx(expected)


def test_arms_with_values_of_their_own_have_none(rows):
    assert len(optimism.optimism(rows, "sd_eq2")) == 0


def test_the_table_has_a_line_for_every_tuned_arm(rows):
    table = optimism.optimism_table([rows])
    tuned = [arm for arm in rows.arms if rows.definition.arm(arm).search]
    assert table.index.get_level_values(1).tolist() == [rows.label(arm) for arm in tuned]
    line = table.loc[rows.name, rows.label("sd_eq2_test_tuned")]
    assert line["judged on"] == "test accuracy"
    assert line["best trial"] == f"{best_of('sd_eq2_test')['value']:.3f}"
    assert line["new networks"] == describe(rows.interval("test.accuracy", "sd_eq2_test_tuned"))
    assert line["on clean tiles"] == describe(rows.interval("clean.accuracy", "sd_eq2_test_tuned"))
    assert line["trials"] == "20, of 1 network each"


def test_the_plot_has_the_tables_arms(rows):
    (ax,) = optimism.optimism_plot([rows]).axes
    seeds = {line.get_gid(): line for line in ax.lines if str(line.get_gid()).endswith(":seeds")}
    label = rows.label("sd_eq1_tuned")
    drawn = np.sort(seeds[f"{label}:seeds"].get_xdata())
    assert drawn == pytest.approx(np.sort(100 * optimism.optimism(rows, "sd_eq1_tuned")))


def test_without_clean_tiles_there_is_no_column_of_them():
    place = Place("robustness", "laptop", "phantom")
    table = optimism.optimism_table([place])
    tuned = ["weight_decay_uniform_tuned", "sd_eq1_uniform_tuned"]
    assert table.index.get_level_values(1).tolist() == [place.label(arm) for arm in tuned]
    assert "on clean tiles" not in table
    best = place.trials[place.trials["best"]].set_index("family")
    for arm, said in zip(tuned, table["best trial"], strict=True):
        assert said == f"{best.loc[place.definition.arm(arm).search, 'value']:.3f}"


def test_a_search_that_auroc_judged_is_compared_by_auroc():
    places = [Place(name, "laptop", "phantom") for name in ("covid", "covid_added")]
    table = optimism.optimism_table(places)
    assert len(table) == 4
    place = places[0]
    arm = "sd_eq2_tuned"
    line = table.loc[f"covid, {place.name}", place.label(arm)]
    best = place.trials[place.trials["best"]].set_index("family").loc["sd_eq2"]
    assert line["judged on"] == "validation AUROC"
    assert line["best trial"] == f"{best['value']:.3f}"
    assert line["new networks"] == describe(place.interval("validation.auroc", arm))
    promised = place.values("validation.auroc", arm) - best["value"]
    assert optimism.optimism(place, arm) == pytest.approx(promised)


def test_places_of_the_same_name_have_a_panel_each_under_the_tables_titles():
    places = [Place(name, "laptop", "phantom") for name in ("covid", "covid_added")]
    titles = optimism.optimism_table(places).index.get_level_values(0).unique()
    panels = optimism.optimism_plot(places).axes
    assert len(panels) == len(titles) == 2
    for ax, title in zip(panels, titles, strict=True):
        heading = " ".join(ax.get_title(loc="left").split())
        assert heading.startswith(title)
