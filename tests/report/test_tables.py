"""Evidence, tables and the tuned rival, on rows that are written here and so are known."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from scipy.special import expit
from sklearn import metrics as sk

from sdlib import experiments
from sdlib.errors import ConfigError
from sdlib.experiments.arms import CUTOUT, SENSITIVITY
from sdlib.metrics import Interval, expected_calibration_error, mean_interval, summary
from sdlib.report import tables as analysis, verdicts as claims
from sdlib.report.cutout import cutoff_control as rivals
from sdlib.results import place as evidence
from sdlib.results.place import Evidence

TARGETS = np.repeat([0, 1], 200).astype(np.int8)

# A network's logit: offset, distance between the classes, what cutouts add; noise has SD 1.
NETWORKS = {
    "weight_decay": (0.0, 3.0, -2.5),
    "weight_decay_tuned": (0.0, 3.0, -2.4),
    "weight_decay_test_tuned": (0.0, 3.0, -2.3),
    "sd_eq1": (0.0, 3.0, -2.5),
    "sd_eq1_tuned": (0.0, 3.0, -2.5),
    "sd_eq2": (1.0, 3.0, -2.5),  # the same features, the threshold moved
    "sd_eq2_tuned": (0.0, 3.0, -2.4),
    "sd_eq2_test_tuned": (0.2, 3.0, -1.0),  # less of the shortcut
    "control": (0.0, 3.0, 0.0),
}

SEARCHES = {"weight_decay": 6, "weight_decay_test": 6, "sd_eq1": 6, "sd_eq2": 20, "sd_eq2_test": 20}


def write_search(experiment, family, n, profile="laptop", source="phantom", seed=0):
    """Trials of a search with random scores, in the outputs folder."""
    search = experiments.Search(experiment, family, profile, source)
    rng = np.random.default_rng(seed)
    judged_on = "test" if family.endswith("_test") else "validation"
    one = {"weight_decay": "weight_decay", "sd_eq1": "lam"}.get(family.removesuffix("_test"))
    lines = []
    for trial in range(n):
        values = {one: float(10 ** rng.uniform(-4, -1))} if one else {}
        values = values or {k: 0.01 * (trial + 1) for k in ("lam_neg", "lam_pos")} | {
            k: float(rng.uniform(-1, 3)) for k in ("gamma_neg", "gamma_pos")
        }
        scores = {s: {"accuracy": float(rng.uniform(0.6, 0.9))} for s in ("validation", "test")}
        line = {"family": family, "trial": trial, "judged_on": judged_on, "values": values}
        line |= {"config_hash": search.config_hash}
        line |= {"value": scores[judged_on]["accuracy"], "metrics": scores, "seconds": 1.0}
        lines.append(json.dumps(line))
    search.folder.mkdir(parents=True, exist_ok=True)
    search.file.write_text("\n".join(lines) + "\n")


def write_run(experiment, arm, seed, profile="laptop", source="phantom", network=(0.0, 3.0, -2.5)):
    """One run's row, predictions and targets in the outputs folder; returns its logits by set."""
    run = experiments.Run(experiment, arm, seed, profile, source)
    rng = np.random.default_rng([seed, len(arm)])
    offset, distance, cut = network
    clean = offset + distance * (TARGETS - 0.5) + rng.normal(0, 1, len(TARGETS))
    cut = cut + rng.normal(0, 0.1)
    marked = np.where(TARGETS == 0, rng.random(len(TARGETS)) < 0.25, False)
    logits = {
        "validation": clean + cut * marked,
        "test": clean + cut * (TARGETS == 1),
        "clean": clean,
        "all": clean + cut,
    }
    logits = {name: value.astype(np.float32) for name, value in logits.items()}
    config = experiments.config(run)
    metrics = {name: summary(TARGETS, expit(f.astype(np.float64))) for name, f in logits.items()}
    share = 0.02 - 0.01 * cut + rng.normal(0, 0.002)
    metrics["cam"] = {"benign_share": share, "cancer_share": share / 2, "area_share": 0.02}
    row = {"experiment": experiment, "arm": arm, "seed": seed, "profile": profile}
    row |= {"source": source, "config": config, "config_hash": experiments.config_hash(config)}
    row |= {"code_version": "0", "device": "cpu test", "seconds": 90.0, "metrics": metrics}
    run.folder.mkdir(parents=True, exist_ok=True)
    run.row_file.write_text(json.dumps(row))
    np.savez(run.folder / "predictions.npz", **{f"{n}.logits": f for n, f in logits.items()})
    parts = {f"{part}.targets": TARGETS for part in ("validation", "test")}
    np.savez(run.folder / "targets.npz", **parts)
    return logits


def write_all(seeds=5, profile="laptop", source="phantom"):
    """Every search, every arm, and the sensitivity map."""
    for family, n in SEARCHES.items():
        write_search("cutout", family, n, profile, source, seed=len(family))
    for arm, network in NETWORKS.items():
        for seed in range(seeds):
            write_run("cutout", arm, seed, profile, source, network)
    for arm in experiments.EXPERIMENTS["cutout_sensitivity"].arms:
        neg, pos = map(int, arm.name.split("_")[1:])
        for seed in range(min(3, seeds)):
            network = (0.2 * neg, 3.0, -1.0 - 0.3 * abs(pos))
            write_run("cutout_sensitivity", arm.name, seed, profile, source, network)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder of outputs with everything in it."""
    folder = tmp_path_factory.mktemp("rows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(folder))
        write_all()
    return folder


@pytest.fixture
def rows(written, recorded, monkeypatch):
    """This machine's rows are the written ones; nothing is recorded."""
    monkeypatch.setenv("SDLIB_OUTPUTS", str(written))
    return Evidence("cutout", "laptop", "phantom", "this run")


@pytest.fixture
def nothing(outputs, recorded):
    """No rows anywhere."""
    return Evidence("cutout", "laptop", "phantom", "this run")


# -- Evidence


def test_evidence_has_every_arm_in_the_registrys_order(rows):
    assert rows.arms == rows.scored == [arm.name for arm in CUTOUT]
    assert rows.seeds == 5
    told = "this run: phantom, laptop: 45 runs, 9 arms, up to 5 seeds, 1.12 hours on cpu test."
    assert rows.sentence == told


def test_values_are_the_rows_metrics_by_rising_seed(rows):
    expected = []
    for seed in range(5):
        file = experiments.Run("cutout", "sd_eq2", seed, "laptop", "phantom").row_file
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
    assert not len(nothing.trials())
    assert nothing.trials().query("not reused")["seconds"].sum() == 0
    assert nothing.sentence.endswith("`make reproduce PROFILE=laptop SOURCE=phantom`")
    recorded = Evidence("cutout", "laptop", "open")
    assert "SOURCE=open SDLIB_DATA=/folder" in recorded.sentence
    assert "python -m sdlib record cutout --profile laptop --source open" in recorded.sentence
    with pytest.raises(ConfigError, match="expected an arm with rows"):
        nothing.setting("sd_eq2")


def test_unknown_metrics_are_empty_not_errors(rows):
    assert rows.values("test.beauty", "sd_eq2").shape == (0,)
    assert rows.difference("test.beauty", "sd_eq2", "weight_decay") is None


def test_stale_rows_count_nowhere_and_are_said(nothing):
    write_run("cutout", "sd_eq2", 0)
    write_run("cutout", "sd_eq2", 1)
    file = experiments.Run("cutout", "sd_eq2", 1, "laptop", "phantom").row_file
    file.write_text(json.dumps(json.loads(file.read_text()) | {"config_hash": "of yesterday"}))
    assert nothing.stale == 1
    assert list(nothing.logits("sd_eq2", "test")) == [0]
    assert len(nothing.values("test.accuracy", "sd_eq2")) == 1
    assert "1 stale rows left out" in nothing.sentence


def test_settings_are_those_of_the_search(rows):
    best = rows.trials().query("family == 'sd_eq2' and best").iloc[0]
    setting = rows.setting("sd_eq2_tuned")
    assert setting["lam"] == [best["lam_neg"], best["lam_pos"]]
    assert setting["gamma"] == [best["gamma_neg"], best["gamma_pos"]]


def test_trials_are_whole_and_one_of_each_search_is_best(rows):
    trials = rows.trials()
    assert trials.groupby("family").size().to_dict() == SEARCHES
    assert not trials["reused"].any()
    for _, one in trials.groupby("family"):
        best = one[one["best"]]
        assert len(best) == 1
        judged_on = one["judged_on"].iloc[0]
        assert best[judged_on].iloc[0] == one[judged_on].max() == best["value"].iloc[0]


def test_trials_that_another_search_trained_are_marked(nothing):
    write_search("cutout", "weight_decay", 2)
    file = experiments.Search("cutout", "weight_decay", "laptop", "phantom").file
    first, second = file.read_text().splitlines()
    second = json.dumps(json.loads(second) | {"trained_as": "weight_decay_test trial 0"})
    file.write_text(f"{first}\n{second}\n")
    assert nothing.trials()["reused"].tolist() == [False, True]


def test_columns_are_the_two_standard_places_others_recorded_and_this_run(nothing, recorded):
    assert [place.name for place in evidence.columns("cutout", "quick", "pcam")] == [
        "recorded: phantom, laptop",
        "recorded: open, laptop",
        "this run: pcam, quick",
    ]
    (recorded / "cutout-phantom-paper.jsonl").write_text("")
    names = [place.name for place in evidence.columns("cutout", "quick", "pcam")]
    assert names[2] == "recorded: phantom, paper"


def test_every_place_stands_once_and_for_an_experiment_that_has_rows_there(rows, recorded):
    run = experiments.Run("robustness", "sd_eq1_none", 0, "long", "phantom")
    found = json.loads(experiments.Run("cutout", "weight_decay", 0, "laptop").row_file.read_text())
    stamp = experiments.config_hash(experiments.config(run))
    found |= {"experiment": "robustness", "arm": run.arm, "profile": "long", "config_hash": stamp}
    (recorded / "robustness-phantom-long.jsonl").write_text(json.dumps(found) + "\n")
    places = {place.name: place for place in evidence.everywhere("laptop", "phantom")}
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


def test_figures_show_what_there_is_and_what_was_asked_for(rows, recorded):
    assert evidence.shown("cutout", "laptop", "phantom").origin == "this run"
    run = experiments.Run("cutout", "weight_decay", 0, "laptop", "phantom")
    (recorded / "cutout-phantom-laptop.jsonl").write_text(run.row_file.read_text() + "\n")
    assert evidence.shown("cutout", "laptop", "phantom").origin == "recorded"
    assert evidence.shown("cutout", "quick", "open").name == "recorded: phantom, laptop"
    assert evidence.shown("cutout", "laptop", "phantom", "this run").origin == "this run"
    with pytest.raises(ConfigError, match="expected figures as one of"):
        evidence.shown("cutout", "laptop", "phantom", "mine")


def test_where_an_experiment_is_not_run_the_laptop_is_pointed_to(nothing):
    assert "quick" not in experiments.EXPERIMENTS["cutout_sensitivity"].profiles
    place = evidence.shown("cutout_sensitivity", "quick", "phantom")
    assert place.name == "this run: phantom, laptop"
    assert place.of("cutout").experiment == "cutout"


# -- Tables


@pytest.mark.parametrize("arm", ["weight_decay", "sd_eq2_test_tuned", "control"])
def test_the_papers_interval_is_students(arm):
    found = analysis.paper_interval("accuracy", arm)
    ends = stats.t.interval(0.95, 4, found.mean, found.sd / np.sqrt(5))
    assert (found.low, found.high) == pytest.approx(ends)


def test_the_paper_has_no_other_arms():
    assert analysis.paper_interval("accuracy", "sd_eq1") is None


def test_cells_say_what_one_seed_cannot():
    assert analysis.describe(mean_interval([0.7])) == "0.700, one seed"
    found = analysis.describe(Interval(2, 0.1, 0.2, -0.3, 0.5), sign=True)
    assert found == "+0.100 (0.200) [-0.300, +0.500] n = 2"


def test_side_by_side_has_the_places_with_rows_and_their_intervals(rows):
    places = evidence.columns("cutout", "laptop", "phantom")
    table = analysis.side_by_side(places, {"test.recall": "recall"})
    assert list(table.columns) == ["paper", "this run: phantom, laptop"]
    cell = table.loc[("weight decay", "recall"), "this run: phantom, laptop"]
    assert cell == analysis.describe(mean_interval(rows.values("test.recall", "weight_decay")))
    assert table.loc[("SD Eq. 1, paper's λ", "recall"), "paper"] == "–"


def test_without_rows_the_table_is_the_papers(nothing):
    table = analysis.side_by_side([nothing], {"test.recall": "recall"})
    assert list(table.columns) == ["paper"]
    assert len(table) == 3
    assert not len(analysis.interval_table(nothing, {"test.auroc": "AUROC"}))
    assert not len(analysis.verdict_table([nothing]))


def test_verdicts_are_those_of_the_rule(rows):
    table = analysis.verdict_table([rows])["this run: phantom, laptop"]
    parts = claims.assess("laptop", "phantom", "this run")
    for part, cell in zip(parts.itertuples(), table, strict=True):
        assert cell.endswith(part.verdict)
        assert part.n == 0 or f"{100 * part.mean:+.1f}" in cell
    some = analysis.verdict_table([rows], "C1", "C4")
    assert set(some.index.get_level_values(0)) == {"C1", "C4"}
    told = analysis.claim_sentences(rows, "C1", "C5")
    assert told.startswith("**C1: reproduced**")
    assert told.endswith("**C5: not attempted yet** (this run: phantom, laptop): too few rows.")


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_reliability_has_the_bins_of_the_calibration_error(data):
    n = data.draw(st.integers(2, 60))
    scores = np.array(data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n)))
    targets = np.arange(n) % 2
    mean_score, share = analysis.reliability(targets, scores, n_bins=7)
    sizes = [len(one) for one in np.array_split(np.arange(n), min(7, n))]
    assert len(mean_score) == len(share) == len(sizes)
    gap = np.sum(np.abs(mean_score - share) * sizes) / n
    assert gap == pytest.approx(expected_calibration_error(targets, scores, n_bins=7), abs=1e-9)
    assert (np.diff(mean_score) >= -1e-12).all()


@pytest.mark.parametrize(
    ("targets", "scores"), [([0, 1], [0.5]), ([], []), ([[0, 1]], [[0.1, 0.2]])]
)
def test_reliability_refuses_other_shapes(targets, scores):
    with pytest.raises(ConfigError, match="expected targets and scores of one shape"):
        analysis.reliability(targets, scores)


@pytest.mark.parametrize("kind", ["lam", "gamma"])
def test_the_map_around_the_tuned_point_is_paired(rows, kind):
    around = rows.of("cutout_sensitivity")
    mean, sd, n = analysis.sensitivity_map(around, kind)
    assert n == 3
    centre = rows.values("test.accuracy", "sd_eq2_test_tuned")[:3]
    for arm in SENSITIVITY:
        name, neg, pos = arm.name.split("_")
        if name == kind:
            change = around.values("test.accuracy", arm.name) - centre
            assert mean[int(neg) + 1, int(pos) + 1] == pytest.approx(change.mean())
            assert sd[int(neg) + 1, int(pos) + 1] == pytest.approx(change.std(ddof=1))
    assert mean[1, 1] == sd[1, 1] == 0


def test_a_map_with_holes_says_so(nothing):
    write_search("cutout", "sd_eq2_test", 3)
    write_run("cutout", "sd_eq2_test_tuned", 0)
    write_run("cutout_sensitivity", "lam_+0_+1", 0)
    mean, sd, n = analysis.sensitivity_map(nothing.of("cutout_sensitivity"), "lam")
    assert n == 0
    assert np.isfinite(mean).sum() == 2
    assert np.isfinite(sd).sum() == 1  # one seed has no spread
    assert analysis.sensitivity_map(nothing.of("cutout_sensitivity"), "gamma")[2] == 0


# -- The tuned rival


def test_a_cutoff_tuned_on_test_is_the_best_there_is(rows):
    found = rivals.tuned_accuracy(rows, "weight_decay", "test")
    for seed, logits in rows.logits("weight_decay", "test").items():
        false_rate, true_rate, _ = sk.roc_curve(TARGETS, logits)
        assert found[seed] == pytest.approx(((1 + true_rate - false_rate) / 2).max())
    assert (found >= rows.values("test.accuracy", "weight_decay") - 1e-12).all()


def test_a_cutoff_tuned_on_validation_sees_no_test_label(rows):
    found = rivals.tuned_accuracy(rows, "weight_decay", "validation")
    for seed, logits in rows.logits("weight_decay", "validation").items():
        false_rate, true_rate, cutoffs = sk.roc_curve(TARGETS, logits, drop_intermediate=False)
        best = true_rate - false_rate >= (true_rate - false_rate).max() - 1e-12
        test = rows.logits("weight_decay", "test")[seed]
        scores = [sk.balanced_accuracy_score(TARGETS, test >= cutoff) for cutoff in cutoffs[best]]
        # Between neighbouring scores any cut-off is as good on validation, not on test.
        assert min(scores) - 0.02 <= found[seed] <= max(scores) + 0.02
    with pytest.raises(ConfigError, match="expected judged_on as validation or test"):
        rivals.tuned_accuracy(rows, "weight_decay", "clean")


def test_a_moved_threshold_is_told_from_other_features(rows):
    moved = rivals.cutoff_control(rows, "sd_eq2", "test")
    assert moved.explained == "moved cut-off"
    assert moved.auroc.low < 0 < moved.auroc.high
    learned = rivals.cutoff_control(rows, "sd_eq2_test_tuned", "test")
    assert learned.explained == "more than a cut-off"
    assert "ranked better" in learned.finding
    same = rivals.cutoff_control(rows, "sd_eq1_tuned", "validation")
    assert same.explained == "no gain"
    assert "no gain at .5 to explain" in same.finding


def test_the_controls_numbers_are_paired_differences(rows):
    control = rivals.cutoff_control(rows, "sd_eq2_test_tuned", "test", "weight_decay_tuned")
    own = rows.values("test.accuracy", "sd_eq2_test_tuned")
    rival = rivals.tuned_accuracy(rows, "weight_decay_tuned", "test").to_numpy()
    assert vars(control.left) == pytest.approx(vars(mean_interval(own - rival)))
    table = rivals.control_table([control])
    assert table.iloc[0]["rival's cut-off tuned"] == analysis.describe(control.left, sign=True)


def test_no_control_without_both_arms(nothing):
    assert rivals.cutoff_control(nothing, "sd_eq2", "test") is None
    write_run("cutout", "sd_eq2", 0)
    assert rivals.cutoff_control(nothing, "sd_eq2", "test") is None
    assert rivals.conclusion(nothing) == ""


def test_one_seed_concludes_nothing(nothing):
    for arm in ("weight_decay", "sd_eq2"):
        write_run("cutout", arm, 0)
    control = rivals.cutoff_control(nothing, "sd_eq2", "test")
    assert control.finding.endswith("One seed has no interval: nothing is concluded.")


@pytest.mark.parametrize(
    ("gain", "left", "expected"),
    [
        ((0.01, 0.05), (0.01, 0.03), "more than a cut-off"),
        ((0.01, 0.05), (-0.01, 0.03), "moved cut-off"),
        ((0.01, 0.05), (-0.05, -0.03), "moved cut-off"),
        ((-0.01, 0.05), (0.01, 0.03), "no gain"),
        ((0.0, 0.05), (0.0, 0.03), "no gain"),
    ],
)
@pytest.mark.parametrize(
    ("auroc", "words"),
    [((0.01, 0.02), "is higher"), ((-0.02, -0.01), "is lower"), ((-0.1, 0.1), "does not tell")],
)
def test_findings_follow_the_intervals_ends(gain, left, expected, auroc, words):
    ends = [Interval(5, (low + high) / 2, 0.01, low, high) for low, high in (gain, left, auroc)]
    control = rivals.CutoffControl("sd_eq2", "weight_decay", "test", *ends)
    assert control.explained == expected
    assert words in control.finding


def test_the_conclusion_names_the_papers_values_and_both_searches(rows):
    told = rivals.conclusion(rows)
    starts = ("With the paper's values", "Tuned on the test split, Equation 2 gains more than")
    assert 0 == told.index(starts[0]) < told.index(starts[1]) < told.index("Tuned on validation")
    control = rivals.cutoff_control(rows, "sd_eq2_test_tuned", "test")
    higher = (
        f"SD Eq. 2, tuned on the test split: AUROC is higher by {rivals._points(control.auroc)}"
    )
    assert (higher in told) == (control.auroc.low > 0)


# -- What cutouts do to logits


def test_the_shift_is_what_was_added(rows):
    found = rivals.logit_shift(rows, "sd_eq2_test_tuned")
    for seed, line in found.iterrows():
        cut = rows.logits("sd_eq2_test_tuned", "all")[seed]
        bare = rows.logits("sd_eq2_test_tuned", "clean")[seed]
        assert line["shift"] == pytest.approx(np.mean(cut - bare), abs=1e-6)
        assert line["shift"] == pytest.approx(-1.0, abs=0.4)
        distance = bare[TARGETS == 1].mean() - bare[TARGETS == 0].mean()
        assert line["share"] == pytest.approx(line["shift"] / distance, rel=1e-5)


@settings(deadline=None, max_examples=30)
@given(scale=st.floats(0.01, 100), move=st.floats(-50, 50))
def test_the_share_ignores_scale_and_threshold(scale, move):
    rng = np.random.default_rng(0)
    bare = rng.normal(3 * TARGETS, 1)
    places = []
    for a, b in ((1.0, 0.0), (scale, move)):
        place = Evidence("cutout", "laptop", "phantom", "this run")
        one = {"arm": ["sd_eq2"], "seed": [0], "stale": [False]}
        place.__dict__["_found"] = place.__dict__["rows"] = pd.DataFrame(one)
        place.__dict__["_predictions"] = {
            "test.targets": TARGETS,
            "sd_eq2/seed0/clean.logits": a * bare + b,
            "sd_eq2/seed0/all.logits": a * (bare - 1.5) + b,
        }
        places.append(rivals.logit_shift(place, "sd_eq2").loc[0])
    assert places[1]["share"] == pytest.approx(places[0]["share"], rel=1e-6)
    assert places[1]["shift"] == pytest.approx(scale * places[0]["shift"], rel=1e-6)


def test_the_shift_table_compares_with_weight_decay(rows):
    table = rivals.shift_table(rows)
    assert list(table.index) == [arm.label for arm in CUTOUT]
    assert table.loc["weight decay", "r minus weight decay's"] == "–"
    shifts = [rivals.logit_shift(rows, arm)["share"] for arm in ("control", "weight_decay")]
    expected = analysis.describe(mean_interval((shifts[0] - shifts[1]).to_numpy()), sign=True)
    assert table.loc["control + weight decay", "r minus weight decay's"] == expected


def test_without_predictions_there_is_no_shift(nothing):
    assert not len(rivals.logit_shift(nothing, "sd_eq2"))
    assert not len(rivals.shift_table(nothing))
