"""The rule for verdicts, case by case, and on rows whose verdicts are known in advance."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sdlib.errors import ConfigError
from sdlib.experiments import EXPERIMENTS, Run, Search, paper_table
from sdlib.experiments.comparisons import Kind, OwnValue, PairedDifference
from sdlib.experiments.cutout import CUTOUT
from sdlib.experiments.cutout_sensitivity import SENSITIVITY, NeighbourMean
from sdlib.experiments.measurements import SHARPNESS, SWEEP
from sdlib.experiments.trials import recorded_trials_file
from sdlib.metrics import summary
from sdlib.report import verdicts as claims
from sdlib.results import Place, sweep_format
from sdlib.results.sweeps import levels_of
from sdlib.shifts import LEVELS

PLACE = ("laptop", "phantom")
TUNED, GIVEN = "C1, tuned on test", "C1, paper's values"


def place_of(profile="laptop", source="phantom", origin="recorded"):
    """A place that has read nothing yet."""
    return Place("cutout", profile, source, origin)


def metrics_of(experiment):
    """Every metric that rows and the sweep of an experiment have."""
    found = {
        f"{cohort}.{metric}"
        for cohort in experiment.evaluation
        for metric in summary(np.array([0, 1]), np.array([0.2, 0.7]))
    }
    if experiment.swept:
        levels = levels_of("long", experiment.sweep.shifts)
        found |= {"clean", *(level.name for level in levels), *(level.shift for level in levels)}
    measured = [one.name for one in experiment.measurements if one.per_run]
    if "cam" in measured:
        found |= {"cam.benign_share", "cam.cancer_share", "cam.area_share"}
    return found


def test_every_comparison_is_of_a_known_claim_metric_and_arm():
    known = set(paper_table("claims")["id"])
    centre = {arm.name for arm in CUTOUT}
    for experiment in EXPERIMENTS.values():
        arms = {arm.name for arm in experiment.arms}
        metrics = metrics_of(experiment)
        for part in experiment.comparisons:
            assert part.claim in known
            one = part.statistic
            if isinstance(one, PairedDifference):
                assert {one.arm, one.rival} <= arms
            if isinstance(one, OwnValue):
                assert one.arm in arms
            if isinstance(one, NeighbourMean):
                assert one.centre in centre
            named = [getattr(one, name, "") for name in ("metric", "rival_metric", "baseline")]
            assert {name for name in named if name} <= metrics
            assert isinstance(one, OwnValue) == (part.kind == Kind.LEVEL)
    judged = [*range(1, 11), 12, 13, 14]  # C11 is a cost, judged on its page
    assert claims.attempted_claims() == [f"C{number}" for number in judged]


def test_the_papers_differences_are_table_2s():
    by_text = {part.text: part.paper for part in EXPERIMENTS["cutout"].comparisons}
    assert by_text["accuracy, SD over weight decay"] == pytest.approx(0.837 - 0.752)
    assert by_text["recall, SD over weight decay"] == pytest.approx(0.715 - 0.523)
    assert by_text["accuracy, control over weight decay"] == pytest.approx(0.875 - 0.752)


@pytest.fixture
def write(outputs, recorded, row_of, trial_of):
    """`write(metrics_of, ...)`: recorded rows of every arm, from a function of arm and seed."""

    def make(metrics_of, arms=None, seeds=range(5), stale=(), experiment="cutout"):
        file = recorded_trials_file("cutout", "laptop", "phantom")
        eq2 = {"lam_neg": 0.1, "lam_pos": 0.01, "gamma_neg": 1.0, "gamma_pos": 2.0}
        points = {
            "weight_decay": {"weight_decay": 1e-3},
            "weight_decay_test": {"weight_decay": 1e-3},
            "sd_eq1": {"lam": 1e-3},
            "sd_eq2": eq2,
            "sd_eq2_test": eq2,
        }
        trials = [
            trial_of(Search("cutout", family, "laptop", "phantom"), point)
            for family, point in points.items()
        ]
        file.write_text("".join(json.dumps(trial) + "\n" for trial in trials))
        lines = []
        for arm in arms or [arm.name for arm in EXPERIMENTS[experiment].arms]:
            for seed in seeds:
                run = Run(experiment, arm, seed, "laptop")
                changes = {"stamp": "stale"} if (arm, seed) in stale else {}
                row = row_of(run, recorded=True, **changes, **metrics_of(arm, seed))
                lines.append(json.dumps(row) + "\n")
        Place(experiment, "laptop", "phantom").recorded_file(".jsonl").write_text("".join(lines))

    return make


ACCURACY = {"weight_decay": 0.75, "sd_eq2_test_tuned": 0.84, "control": 0.88, "sd_eq2": 0.83}


def as_in_the_paper(arm, seed):
    """Means as in Table 2, Eq. 1 like weight decay, maps alike; seeds differ, arms hardly do."""
    rng = np.random.default_rng([seed, len(arm), ord(arm[-1])])
    accuracy = ACCURACY.get(arm, 0.75) + 0.01 * seed + rng.normal(0, 0.004)
    if arm.startswith(("lam_", "gamma_")):
        accuracy = 0.80 + 0.01 * seed + rng.normal(0, 0.004)
    return {
        "test__accuracy": accuracy,
        "test__recall": 2 * accuracy - 0.97,
        "cam__benign_share": 0.2 + rng.normal(0, 0.002),
        "cam__cancer_share": 0.1 + rng.normal(0, 0.002),
        "cam__area_share": 0.05,
    }


def verdicts(place=PLACE):
    return claims.report(place_of(*place)).set_index("id")["verdict"].to_dict()


class TestReport:
    def test_without_rows(self, outputs, recorded):
        table = claims.report(place_of())
        others = [f"C{k}" for k in range(2, 15)]
        assert table["id"].tolist() == ["C0", TUNED, GIVEN, *others]
        assert set(table["verdict"]) == {"not attempted yet"}
        assert set(table["why"]) == {""}
        assert set(claims.assess(place_of())["n"]) == {0}

    def test_the_paper_itself(self, write):
        write(as_in_the_paper)
        write(as_in_the_paper, seeds=range(3), experiment="cutout_sensitivity")
        found = verdicts()
        attempted = {claim: found.pop(claim) for claim in (TUNED, GIVEN, "C2", "C3", "C4")}
        assert set(attempted.values()) == {"reproduced"}
        assert set(found.values()) == {"not attempted yet"}
        reasons = claims.report(place_of()).set_index("id")["why"]
        assert reasons[TUNED].count(";") == 2
        assert "n = 5), reproduced" in reasons[TUNED]
        assert "n = 3), reproduced" in reasons["C3"]

    def test_numbers_are_those_of_a_paired_t_test(self, write):
        write(as_in_the_paper)
        rows = place_of().rows.pivot(index="seed", columns="arm")["test.accuracy"]
        test = stats.ttest_rel(rows["sd_eq2_test_tuned"], rows["weight_decay"])
        ends = test.confidence_interval(0.95)
        first = claims.assess(place_of()).iloc[0]
        assert (first["claim"], first["n"]) == ("C1", 5)
        assert (first["low"], first["high"]) == pytest.approx((ends.low, ends.high))

    def test_nothing_helps(self, write):
        def alike(arm, seed):
            return as_in_the_paper("weight_decay" if "sd" in arm else arm, seed)

        write(alike)
        found = verdicts()
        # That the control helps is a premise, not the claim.
        assert found[TUNED] == found[GIVEN] == "not reproduced"
        assert found["C2"] == "not reproduced"  # Eq. 1 does not help, but neither does Eq. 2
        assert found["C3"] == "not attempted yet"
        # The maps are alike, but there is no gain that they could explain.
        parts = claims.assess(place_of(), "C4")
        assert set(parts.loc[~parts["premise"], "verdict"]) == {"reproduced"}
        assert parts.loc[parts["premise"], "verdict"].tolist() == ["not reproduced"]
        assert found["C4"] == "undecided"

    def test_without_a_gain_there_is_nothing_to_lose(self, write):
        def below(arm, seed):
            """The tuned arm gains nothing, and its neighbours lose."""
            found = as_in_the_paper("weight_decay" if "sd" in arm else arm, seed)
            if arm.startswith(("lam_", "gamma_")):
                found["test__accuracy"] -= 0.1
            return found

        write(below)
        write(below, seeds=range(3), experiment="cutout_sensitivity")
        parts = claims.assess(place_of(), "C3")
        assert set(parts.loc[~parts["premise"], "verdict"]) == {"reproduced"}
        assert verdicts()["C3"] == "undecided"

    def test_the_two_readings_are_judged_apart(self, write):
        def only_tuned(arm, seed):
            return as_in_the_paper("weight_decay" if arm == "sd_eq2" else arm, seed)

        write(only_tuned)
        found = verdicts()
        assert (found[TUNED], found[GIVEN]) == ("reproduced", "not reproduced")
        assert claims.claims_at(place_of(), "C1") == {TUNED: found[TUNED], GIVEN: found[GIVEN]}

    def test_cutouts_in_the_maps(self, write):
        def looks(arm, seed):
            found = as_in_the_paper(arm, seed)
            if arm == "sd_eq2_test_tuned":
                found["cam__benign_share"] -= 0.1
                found["cam__cancer_share"] -= 0.05
            return found

        write(looks)
        assert verdicts()["C4"] == "not reproduced"

    def test_maps_too_noisy_to_tell(self, write):
        def noisy(arm, seed):
            sign = (-1) ** seed * (1 if arm == "weight_decay" else -1)
            found = as_in_the_paper(arm, seed)
            return {
                **found,
                "cam__benign_share": 0.2 + 0.15 * sign,
                "cam__cancer_share": 0.1 + 0.09 * sign,
            }

        write(noisy)
        assert verdicts()["C4"] == "undecided"

    def test_some_arms_only(self, write):
        write(as_in_the_paper, arms=["weight_decay", "control"])
        found = verdicts()
        # The price of the coincidence is there, but no arm that could win it back.
        assert {found[claim] for claim in (TUNED, GIVEN, "C2", "C3", "C4")} == {"not attempted yet"}

    def test_without_its_premise_a_claim_is_undecided(self, write):
        def painless(arm, seed):
            return as_in_the_paper("weight_decay" if arm == "control" else arm, seed)

        write(painless)
        assert verdicts()[TUNED] == "undecided"
        assert verdicts()["C2"] == "reproduced"

    @pytest.mark.parametrize("seeds", [1, 2])
    def test_fewer_than_three_seeds_are_no_attempt(self, write, seeds):
        write(as_in_the_paper, seeds=range(seeds))
        assert set(verdicts().values()) == {"not attempted yet"}
        parts = claims.assess(place_of(), "C1")
        assert set(parts["n"]) == {seeds}
        assert parts[["low", "high"]].isna().all(axis=None)
        assert set(claims.report(place_of())["why"]) == {""}

    def test_stale_rows_do_not_count(self, write):
        write(as_in_the_paper, stale=[("weight_decay", seed) for seed in (0, 1, 2)])
        judged = claims.assess(place_of())
        assert judged["n"].tolist()[:6] == [2] * 6
        assert set(judged.loc[judged["claim"] == "C1", "verdict"]) == {"not attempted yet"}
        write(as_in_the_paper, stale=[("weight_decay", seed) for seed in range(5)])
        judged = claims.assess(place_of())
        assert set(judged["verdict"]) == {"not attempted yet"}
        # C3 is against the tuned arm, whose rows hold, but has no neighbours here.
        assert set(judged["n"]) == {0}

    def test_a_seed_counts_when_all_its_neighbours_are_there(self, write):
        write(as_in_the_paper)
        names = [arm.name for arm in SENSITIVITY if arm.name != "gamma_+1_-1"]
        write(as_in_the_paper, names, range(3), experiment="cutout_sensitivity")
        counts = claims.assess(place_of()).set_index("part")["n"]
        assert counts["one step in lambda"] == 3
        assert counts["one step in gamma"] == 0

    def test_neighbours_without_a_centre(self, write):
        write(as_in_the_paper, seeds=range(3), experiment="cutout_sensitivity")
        assert verdicts()["C3"] == "not attempted yet"

    def test_other_places_are_not_mixed_in(self, write):
        write(as_in_the_paper)
        assert set(verdicts(("laptop", "open")).values()) == {"not attempted yet"}
        assert set(verdicts(("quick", "phantom")).values()) == {"not attempted yet"}

    def test_a_machines_own_rows(self, write, outputs):
        write(as_in_the_paper)
        own = claims.report(place_of(origin="this run"))
        assert set(own["verdict"]) == {"not attempted yet"}


def test_c0_is_judged_on_the_spot():
    verdict, why = claims.theory_verdict()
    assert verdict == "reproduced"
    # The paper's claim in facts: 1.640 at s = 2.001 falls to 1.185 at s = 6.
    assert "from 1.640 to 1.185" in why


class TestSwept:
    """C5 and C6 from logits whose accuracy at every level is known."""

    CLEAN, TILES = 0.95, 400

    def accuracy_of(self, arm, level):
        """As section 3.2 has it; levels that it does not print stay clean."""
        severe = {"sharpen-1.0", "blur-20", "haematoxylin-0.0", "eosin-0.0"}
        if arm == "weight_decay_none":
            return 0.5 if level in severe else self.CLEAN
        decay = {"sharpen-1.0": 0.90, "blur-19": 0.6, "eosin-0.9": 0.9, "eosin-0.0": 0.75}
        gain = {"sharpen-1.0": 0.046, "blur-19": 0.124, "eosin-0.9": 0.012, "eosin-0.0": 0.085}
        value = decay.get(level, 0.5 if level in severe else self.CLEAN)
        return value + (gain.get(level, 0.0) if arm == "sd_eq1_uniform" else 0.0)

    @pytest.fixture
    def swept(self, write, recorded):
        def make(accuracy_of):
            arms = ["weight_decay_none", "weight_decay_uniform", "sd_eq1_uniform"]
            metrics = {"test__accuracy": 0.9}
            write(lambda arm, seed: metrics, arms=arms, experiment="robustness")
            names = ("clean", *(level.name for level in LEVELS))
            targets = np.arange(self.TILES) % 2
            answers = {}
            for arm in arms:
                for seed in range(5):
                    wrong = [
                        round((1 - accuracy_of(arm, n)) * self.TILES / 2) + seed % 2 for n in names
                    ]
                    logits = np.tile(2.0 * targets - 1, (len(names), 1))
                    for line, count in zip(logits, wrong, strict=True):
                        line[: 2 * count] *= -1  # as many of either class
                    answers[arm, seed] = logits
            file = SWEEP.recorded_file("robustness", "laptop", "phantom")
            groups = np.arange(self.TILES, dtype=np.int16)
            sweep_format.write(file, names, targets.astype(np.int8), groups, answers)

        return make

    def test_the_paper_itself(self, swept):
        swept(self.accuracy_of)
        found = verdicts()
        assert (found["C5"], found["C6"]) == ("reproduced", "reproduced")
        parts = claims.assess(place_of()).set_index("part")
        line = parts.loc["SD over weight decay, blur-19"]
        assert (line["mean"], line["paper"], line["n"]) == (pytest.approx(0.125), 0.124, 5)

    def test_nothing_helps(self, swept):
        swept(lambda arm, level: self.accuracy_of("weight_decay_uniform", level))
        found = verdicts()
        assert found["C5"] == "partly"  # chance at the severest blur, but no gain
        assert found["C6"] == "not reproduced"  # no difference in haematoxylin is no gain
        parts = claims.assess(place_of())
        gains = parts[(parts["claim"] == "C6") & (parts["kind"] == "gain")]
        assert set(gains["verdict"]) == {"not reproduced"}

    def test_answers_without_a_row_do_not_count(self, swept, write):
        swept(self.accuracy_of)
        arms = ["weight_decay_uniform", "sd_eq1_uniform"]
        stale = [("sd_eq1_uniform", seed) for seed in range(5)]
        write(
            lambda arm, seed: {"test__accuracy": 0.9},
            arms=arms,
            experiment="robustness",
            stale=stale,
        )
        assert verdicts()["C6"] == "not attempted yet"


class TestSharpnessOfScanners:
    @pytest.fixture
    def write(self, outputs, recorded):
        rng = np.random.default_rng(0)

        def make(distance, source="open"):
            arrays = {}
            for scanner, mean in (("one", 0.0), ("two", distance)):
                arrays[f"{scanner}/set {scanner}/values"] = rng.normal(mean, 1, 900)
                arrays[f"{scanner}/set {scanner}/groups"] = np.arange(900) // 30
            file = SHARPNESS.recorded_file("robustness", "laptop", source)
            file.unlink(missing_ok=True)
            np.savez(file, **arrays)

        return make

    def test_told_apart_or_not(self, write):
        assert verdicts(("laptop", "open"))["C7"] == "not attempted yet"
        for distance, verdict in ((2.0, "reproduced"), (-2.0, "reproduced"), (0.0, "not")):
            write(distance)
            assert verdicts(("laptop", "open"))["C7"].startswith(verdict)

    def test_nothing_is_judged_on_scanners_that_were_built_to_differ(self, write):
        write(2.0, "phantom")
        assert len(place_of().of("robustness").sharpness_pairs) == 1
        assert verdicts()["C7"] == "not attempted yet"


def test_some_claims_are_judged_without_looking_at_other_experiments(write, monkeypatch):
    """A chapter may judge its own claims and need not declare experiments that it does not show."""
    write(as_in_the_paper)
    whole = claims.assess(place_of())
    monkeypatch.setenv("SDLIB_READS", "cutout")
    own = place_of(origin="this run")
    assert set(claims.assess(own, "C1", "C2")["claim"]) == {"C1", "C2"}
    with pytest.raises(ConfigError, match="results of 'robustness', which it does not declare"):
        claims.assess(own, "C5")
    some = claims.assess(place_of(), "C1")
    expected = whole[whole["claim"] == "C1"].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected)
    assert not len(claims.assess(place_of(), "C11"))
    assert claims.claims_at(place_of(), "C11") == {}
