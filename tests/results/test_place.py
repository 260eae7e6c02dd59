"""Places: which rows count, what is paired, which places a page shows."""

import json
import os
import subprocess

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from sdlib import results
from sdlib.datasets.folder_names import folder_name
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import EXPERIMENTS, Run, Search, config_hash
from sdlib.experiments.cutout import CUTOUT
from sdlib.metrics import mean_interval
from sdlib.paths import ROOT
from sdlib.results import Place
from tests.written_results import SEARCHES, write_run, write_search


def test_a_place_has_every_arm_in_the_registrys_order(rows):
    assert rows.arms == rows.scored == [arm.name for arm in CUTOUT]
    assert rows.seeds == 5
    told = "this run: phantom, laptop: 50 runs, 10 arms, up to 5 seeds, 1.25 hours on cpu test."
    assert results.sentence(rows) == told


def test_values_are_the_rows_metrics_by_rising_seed(rows):
    expected = []
    for seed in range(5):
        file = Run("cutout", "sd_eq2", seed, "laptop", "phantom").row_file
        expected.append(json.loads(file.read_text())["metrics"]["test"]["recall"])
    assert rows.values("test.recall", "sd_eq2").tolist() == expected
    assert rows.interval("test.recall", "sd_eq2") == mean_interval(expected)


def test_a_difference_is_the_paired_t_interval(rows):
    pair = [rows.values("test.accuracy", arm) for arm in ("sd_eq2", "weight_decay")]
    expected = stats.ttest_rel(*pair).confidence_interval()
    found = rows.difference("test.accuracy", "sd_eq2", "weight_decay")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_without_rows_everything_is_empty_and_the_command_is_named(nothing):
    assert nothing.arms == nothing.scored == []
    assert nothing.seeds == 0
    assert nothing.values("test.accuracy", "sd_eq2").shape == (0,)
    assert nothing.interval("test.accuracy", "sd_eq2") is None
    assert nothing.difference("test.accuracy", "sd_eq2", "weight_decay") is None
    assert nothing.logits("sd_eq2", "test") == {}
    assert not len(nothing.targets("test"))
    assert not len(nothing.groups("test"))
    assert not len(nothing.trials)
    assert nothing.trials.query("not reused")["seconds"].sum() == 0
    assert results.sentence(nothing).endswith("`make reproduce PROFILE=laptop SOURCE=phantom`")
    recorded = Place("cutout", "laptop", "open")
    assert "SOURCE=open SDLIB_DATA=/folder" in results.sentence(recorded)
    assert "python -m sdlib record cutout --profile laptop --source open" in results.sentence(
        recorded
    )
    with pytest.raises(ConfigError, match="expected an arm with rows"):
        nothing.setting("sd_eq2")


def test_the_command_names_a_folder_whatever_it_is_called(outputs, recorded, tmp_path):
    """make hands it on as it is: to a shell, which echoes it here."""
    source = folder_name(tmp_path / "R&D's $HOME; slides", ["tumour"])
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    (quote,) = [line for line in lines if line.startswith("quote =")]
    rule = "reproduce:\n\t@printf %s $(call quote,$(SOURCE))\n"
    (tmp_path / "Makefile").write_text(f"{quote}\n{rule}")
    command = Place("own_data", "smoke", source, "this run").command
    # The make that runs the tests would hand its own options on, and be told of in the output.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = subprocess.run(
        command, shell=True, cwd=tmp_path, env=alone, capture_output=True, text=True
    )
    assert told.stdout == source


def test_unknown_metrics_are_empty_not_errors(rows):
    assert rows.values("test.beauty", "sd_eq2").shape == (0,)
    assert rows.difference("test.beauty", "sd_eq2", "weight_decay") is None


def test_stale_rows_count_nowhere_and_are_said(nothing):
    write_run("cutout", "sd_eq2", 0)
    write_run("cutout", "sd_eq2", 1)
    file = Run("cutout", "sd_eq2", 1, "laptop", "phantom").row_file
    file.write_text(json.dumps(json.loads(file.read_text()) | {"config_hash": "of yesterday"}))
    assert nothing.stale == 1
    assert list(nothing.logits("sd_eq2", "test")) == [0]
    assert len(nothing.values("test.accuracy", "sd_eq2")) == 1
    assert "1 stale rows left out" in results.sentence(nothing)


def test_settings_are_those_of_the_search(rows):
    best = rows.trials.query("family == 'sd_eq2' and best").iloc[0]
    setting = rows.setting("sd_eq2_tuned")
    assert setting["lam"] == [best["lam_neg"], best["lam_pos"]]
    assert setting["gamma"] == [best["gamma_neg"], best["gamma_pos"]]


def test_trials_are_whole_and_one_of_each_search_is_best(rows):
    trials = rows.trials
    rates = dict.fromkeys(("learning_rate", "learning_rate_sd_eq1", "learning_rate_sd_eq2"), 3)
    assert trials.groupby("family").size().to_dict() == {**SEARCHES, **rates}
    assert not trials["reused"].any()
    for _, one in trials.groupby("family"):
        best = one[one["best"]]
        assert len(best) == 1
        judged_on = one["judged_on"].iloc[0]
        assert best[judged_on].iloc[0] == one[judged_on].max() == best["value"].iloc[0]


def test_trials_that_another_search_trained_are_marked(nothing):
    write_search("cutout", "weight_decay", 2)
    file = Search("cutout", "weight_decay", "laptop", "phantom").file
    first, second = file.read_text().splitlines()
    second = json.dumps(json.loads(second) | {"trained_as": "weight_decay_test trial 0"})
    file.write_text(f"{first}\n{second}\n")
    assert nothing.trials["reused"].tolist() == [False, True]


def test_columns_are_the_two_standard_places_others_recorded_and_this_run(nothing, recorded):
    assert [place.name for place in results.columns("cutout", "quick", "pcam")] == [
        "recorded: phantom, laptop",
        "recorded: open, laptop",
        "this run: pcam, quick",
    ]
    (recorded / "cutout-phantom-paper.jsonl").write_text("")
    names = [place.name for place in results.columns("cutout", "quick", "pcam")]
    assert names[2] == "recorded: phantom, paper"


def test_every_place_stands_once_and_for_an_experiment_that_has_rows_there(rows, recorded):
    run = Run("robustness", "sd_eq1_none", 0, "long", "phantom")
    found = json.loads(Run("cutout", "weight_decay", 0, "laptop").row_file.read_text())
    stamp = config_hash(run.config())
    found |= {"experiment": "robustness", "arm": run.arm, "profile": "long", "config_hash": stamp}
    (recorded / "robustness-phantom-long.jsonl").write_text(json.dumps(found) + "\n")
    places = {place.name: place for place in results.everywhere("laptop", "phantom")}
    assert list(places) == [
        "recorded: phantom, laptop",
        "recorded: open, laptop",
        "recorded: phantom, long",
        "this run: phantom, laptop",
    ]
    assert places["recorded: phantom, long"].experiment == "robustness"
    assert places["recorded: phantom, long"].arms == ["sd_eq1_none"]
    assert places["this run: phantom, laptop"].experiment == "cutout"
    assert places["recorded: open, laptop"].arms == []


def test_groups_are_the_stored_ones_or_every_image_its_own(nothing):
    write_run("cutout", "sd_eq2", 0)
    n = len(nothing.targets("test"))
    assert nothing.groups("test").tolist() == list(range(n))
    file = Run("cutout", "sd_eq2", 0, "laptop", "phantom").folder / "targets.npz"
    with np.load(file) as stored:
        found = dict(stored)
    patients = (np.arange(n) // 2).astype(np.int16)
    np.savez(file, **found, **{"test.groups": patients})
    again = Place("cutout", "laptop", "phantom", "this run")
    for cohort in ("test", "clean"):  # of the same tiles, and so of the same patients
        assert again.groups(cohort).tolist() == patients.tolist()
    with pytest.raises(ConfigError, match="unknown cohort of cutout 'elsewhere'"):
        again.groups("elsewhere")


def test_figures_show_what_there_is_and_what_was_asked_for(rows, recorded):
    assert results.shown("cutout", "laptop", "phantom").origin == "this run"
    run = Run("cutout", "weight_decay", 0, "laptop", "phantom")
    (recorded / "cutout-phantom-laptop.jsonl").write_text(run.row_file.read_text() + "\n")
    assert results.shown("cutout", "laptop", "phantom").origin == "recorded"
    assert results.shown("cutout", "quick", "open").name == "recorded: phantom, laptop"
    assert results.shown("cutout", "laptop", "phantom", "this run").origin == "this run"
    with pytest.raises(ConfigError, match="expected figures as one of"):
        results.shown("cutout", "laptop", "phantom", "mine")


def test_where_an_experiment_is_not_run_the_laptop_is_pointed_to(nothing):
    assert "quick" not in EXPERIMENTS["cutout_sensitivity"].profiles
    place = results.shown("cutout_sensitivity", "quick", "phantom")
    assert place.name == "this run: phantom, laptop"
    assert place.of("cutout").experiment == "cutout"


def test_where_an_experiment_is_not_run_the_sentence_says_where_it_is(nothing):
    there = Place("prostate", "laptop", "phantom", "this run")
    expected = "prostate is not run there. It has the profiles smoke, quick, long, gpu, paper on ph"
    assert expected in results.sentence(there)
    assert "make reproduce" not in results.sentence(there)
    assert "prostate is not run there" in results.sentence(Place("prostate", "long", "open"))


def test_nothing_to_pair(rows, nothing):
    assert rows.paired("test.nothing", "sd_eq2", "weight_decay").shape == (0,)
    assert nothing.paired("test.accuracy", "sd_eq2", "weight_decay").shape == (0,)


def test_an_unknown_arm_is_not_an_empty_one(rows):
    with pytest.raises(ConfigError, match="unknown arm of cutout 'nobody'"):
        rows.paired("test.accuracy", "sd_eq2", "nobody")


def test_pairs_are_of_the_seeds_that_both_have(nothing):
    for arm, seeds in (("sd_eq2", (0, 1, 3)), ("weight_decay", (1, 2, 3))):
        for seed in seeds:
            write_run("cutout", arm, seed)
    own = [nothing.by_seed("test.accuracy", arm) for arm in ("sd_eq2", "weight_decay")]
    expected = [own[0][seed] - own[1][seed] for seed in (1, 3)]
    found = nothing.paired("test.accuracy", "sd_eq2", "weight_decay")
    assert found.tolist() == pytest.approx(expected)


# -- Targets and ensembles


def test_every_cohort_has_its_own_targets(monkeypatch, outputs, recorded):
    """Tiles of another cluster are other tiles: theirs are not the targets of the test part."""
    place = Place("stain_a", "laptop", "open", "this run")
    write_run("stain_a", "sd_eq1_none", 0, source="open")
    run = Run("stain_a", "sd_eq1_none", 0, "laptop", "open")
    across, logits = np.array([1, 0, 1], np.int8), np.array([1.0, -1.0, 2.0], np.float32)
    for name, changes in (
        ("predictions", {"across.logits": logits, "across_normalised.logits": logits}),
        ("targets", {"across.targets": across}),
    ):
        with np.load(run.folder / f"{name}.npz") as stored:
            np.savez(run.folder / f"{name}.npz", **{**stored, **changes})
    np.testing.assert_array_equal(place.targets("across"), across)
    assert len(place.targets("test")) == len(place.logits("sd_eq1_none", "test")[0])
    assert place.definition.cohort_of_targets("across") == "across"
    np.testing.assert_array_equal(place.targets("across_normalised"), across)
    with pytest.raises(ConfigError, match="unknown cohort of stain_a 'clean'"):
        place.targets("clean")


def test_targets_that_do_not_match_the_logits_are_an_error(nothing):
    write_run("cutout", "sd_eq2", 0)
    folder = Run("cutout", "sd_eq2", 0, "laptop").folder
    with np.load(folder / "targets.npz") as stored:
        np.savez(folder / "targets.npz", **{**stored, "test.targets": np.zeros(7, np.int8)})
    with pytest.raises(DataError, match=r"expected 7 logits in sd_eq2/seed0/test\.logits"):
        nothing.targets("clean")


def test_an_ensemble_is_the_mean_probability(rows):
    found = rows.ensemble("sd_eq2", "test")
    each = [expit(f.astype(float)) for f in rows.logits("sd_eq2", "test").values()]
    np.testing.assert_allclose(found.scores, np.mean(each, axis=0))
    assert found.networks == 5
    assert rows.ensemble("nobody", "test") is None


# -- What a chapter may read


def test_a_chapter_reads_what_it_declares_and_nothing_else(rows, monkeypatch):
    monkeypatch.setenv("SDLIB_READS", "robustness,stain_a")
    undeclared = Place("cutout", "laptop", "phantom", "this run")
    with pytest.raises(ConfigError, match="results of 'cutout', which it does not declare"):
        undeclared.rows  # noqa: B018 - the property reads
    assert not Place("cutout", "laptop", "phantom").arms  # recorded results are always the same
    monkeypatch.setenv("SDLIB_READS", "robustness,cutout")
    assert undeclared.of("robustness").of("cutout").arms
