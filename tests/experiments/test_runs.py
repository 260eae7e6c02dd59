"""The registry: frozen, sized as said, and a hash that changes with what can change a number."""

import dataclasses
import json

import pytest

from sdlib.datasets.sources import SOURCES
from sdlib.datasets.tile_sources import TILE_SOURCES
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import (
    EXPERIMENTS,
    PROFILES,
    Arm,
    Profile,
    Run,
    Search,
    config_hash,
    parse_run,
    runs_of,
    searches_of,
)
from sdlib.experiments.arm import GAMMA_STEP, LAM_STEP, Look, Step
from sdlib.experiments.cutout import CUTOUT
from sdlib.experiments.cutout_sensitivity import SENSITIVITY
from sdlib.experiments.robustness import ROBUSTNESS

RUN = Run("cutout", "sd_eq2", 3, "laptop")
ARM = RUN.resolved_arm()


def stamp(run=RUN, arm=ARM):
    return config_hash(run.config(arm))


# What a profile says about one run, each with another value; the rest is the scale of the whole.
NUMBERS = {
    "network": "test_resnet",
    "size": 48,
    "tiles": 7777,
    "epochs": 77,
    "batch_size": 7,
    "learning_rate": 0.7,
    "augment": "none",
    "dropout": 0.7,
    "drop_path": 0.7,
    "precision": "bf16-mixed",
    "pretrained": True,
    "falling": "steps",
    "kept": "best",
    "head": "small",
}
SCALE = {
    "name": "other",
    "seeds": 77,
    "trials": 77,
    "networks": 7,
    "workers": 7,
    "memory_mb": 7,
    "minutes": 7,
    "gpu": True,
    "runs_per_job": 7,
}


class TestHash:
    def test_every_field_of_a_profile_is_one_or_the_other(self):
        fields = {field.name for field in dataclasses.fields(Profile)}
        assert fields == set(NUMBERS) | set(SCALE)

    @pytest.mark.parametrize("name", [*NUMBERS, *SCALE])
    def test_profile(self, monkeypatch, name):
        value = {**NUMBERS, **SCALE}[name]
        base = dataclasses.replace(PROFILES["laptop"], network="test_efficientnet")
        monkeypatch.setitem(PROFILES, "laptop", base)
        before = stamp()
        assert getattr(base, name) != value
        monkeypatch.setitem(PROFILES, "laptop", dataclasses.replace(base, **{name: value}))
        assert (stamp() != before) == (name in NUMBERS)

    @pytest.mark.parametrize(
        ("change", "counts"),
        [
            ({"lam": (0.0969, 0.0007)}, True),
            ({"lam": 0.0969, "gamma": None}, True),
            ({"gamma": (1.83, 2.62)}, True),
            ({"weight_decay": 1e-4}, True),
            ({"training": CUTOUT[-1].training}, True),
            ({"augment": "uniform"}, True),
            ({"look": Look("#123456")}, False),
            ({"main": True, "headline": True}, False),
            ({"name": "other"}, False),
            ({"label": "other"}, False),
            ({"search": "sd_eq1"}, False),
        ],
    )
    def test_arm(self, change, counts):
        assert (stamp(arm=dataclasses.replace(ARM, **change)) != stamp()) == counts

    def test_run(self, monkeypatch):
        assert stamp(dataclasses.replace(RUN, seed=4)) != stamp()
        assert stamp(dataclasses.replace(RUN, source="open")) != stamp()
        assert stamp(dataclasses.replace(RUN, profile="quick")) != stamp()
        other = dataclasses.replace(EXPERIMENTS["cutout"], data_seed=1)
        with monkeypatch.context() as patch:
            patch.setitem(EXPERIMENTS, "cutout", other)
            reseeded = stamp()
        assert reseeded != stamp()

    def test_phantoms_of_another_version_are_other_data(self, monkeypatch):
        before, on_files = stamp(), stamp(dataclasses.replace(RUN, source="open"))
        newer = dataclasses.replace(TILE_SOURCES["phantom"], version=10**6)
        monkeypatch.setitem(TILE_SOURCES, "phantom", newer)
        assert stamp() != before
        assert stamp(dataclasses.replace(RUN, source="open")) == on_files

    def test_it_survives_json_and_order(self):
        values = RUN.config()
        stored = json.loads(json.dumps(dict(reversed(values.items()))))
        assert config_hash(stored) == config_hash(values)
        assert len(stamp()) == 12
        assert int(stamp(), 16) >= 0

    def test_runs_of_an_experiment_have_hashes_of_their_own(self):
        plain = [run for run in runs_of("cutout", "laptop", "phantom") if not run.search]
        assert len({config_hash(run.config()) for run in plain}) == len(plain) == 5 * 5


class TestRegistry:
    @pytest.mark.parametrize(
        "entry",
        [
            EXPERIMENTS["cutout"],
            PROFILES["quick"],
            CUTOUT[0],
            RUN,
            Search("cutout", "sd_eq2", "quick", "open"),
        ],
        ids=lambda entry: type(entry).__name__,
    )
    def test_frozen(self, entry):
        name = dataclasses.fields(entry)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(entry, name, "other")
        hash(entry)  # and so are all its parts

    def test_names_are_keys(self):
        for table in (EXPERIMENTS, PROFILES):
            assert all(name == entry.name for name, entry in table.items())

    def test_the_papers_values(self):
        """Section 3.1: lambda and gamma as (benign, cancer), weight decay without SD only."""
        by_name = {arm.name: arm for arm in CUTOUT}
        assert by_name["sd_eq1"].lam == 0.01
        assert by_name["sd_eq2"].lam == (0.0969, 0.000698)
        assert by_name["sd_eq2"].gamma == (1.83, 2.61)
        assert by_name["weight_decay"].weight_decay == by_name["control"].weight_decay == 1e-4
        assert {a.weight_decay for n, a in by_name.items() if n.startswith("sd_")} == {0}
        assert [a.name for a in CUTOUT if a.training is not None] == ["control"]
        paper = PROFILES["paper"]
        assert (paper.network, paper.size, paper.epochs) == ("efficientnet_b0", 224, 90)
        assert (paper.learning_rate, paper.dropout, paper.drop_path) == (0.005, 0.2, 0.2)

    @pytest.mark.parametrize("profile", PROFILES)
    @pytest.mark.parametrize("experiment", [n for n, one in EXPERIMENTS.items() if one.sources])
    def test_runs(self, experiment, profile, monkeypatch, tmp_path):
        monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path))
        definition = EXPERIMENTS[experiment]
        source = definition.sources[0]
        found = runs_of(experiment, profile, source)
        seeds = definition.settings(profile, source).seeds
        if profile not in definition.profiles:
            seeds = 0
        arms = [arm for arm in definition.arms if arm.main or profile not in definition.main_only]
        assert len(found) == len(set(found)) == len(arms) * seeds
        folders = {run.folder for run in found}
        assert len(folders) == len(found)
        for run in found:
            assert parse_run(run.id, profile, source) == run
            assert run.row_file == tmp_path / source / profile / run.id / "row.json"
        if seeds:
            assert {run.seed for run in found} == set(range(seeds))

    def test_the_sensitivity_map_leaves_a_profile_out(self):
        assert runs_of("cutout_sensitivity", "quick", "phantom") == []
        assert len(runs_of("cutout_sensitivity", "laptop", "phantom")) == 16 * 3

    def test_quick_has_the_main_arms_of_robustness_and_nothing_to_search(self):
        found = runs_of("robustness", "quick", "phantom")
        assert list(dict.fromkeys(run.arm for run in found)) == [
            "weight_decay_none",
            "sd_eq1_none",
            "weight_decay_uniform",
            "sd_eq1_uniform",
        ]
        assert not any(run.search for run in found)
        assert {run.arm for run in runs_of("robustness", "laptop", "phantom")} == {
            arm.name for arm in ROBUSTNESS
        }

    def test_stain_clusters_are_known_on_one_source_alone(self):
        assert runs_of("stain_a", "laptop", "phantom") == []
        with pytest.raises(ConfigError, match=r"unknown source of stain_a 'phantom'.*: open"):
            Run("stain_a", "sd_eq1_none", 0, "laptop", "phantom")

    def test_augmentation_follows_the_profiles_own_and_size_the_source(self):
        plain = Run("robustness", "sd_eq1_none", 0, "laptop").config()
        augmented = Run("robustness", "sd_eq1_uniform", 0, "laptop").config()
        blurred = Run("robustness", "sd_eq1_blur", 0, "laptop").config()
        assert [c["augment"] for c in (plain, augmented, blurred)] == [
            "dihedral",
            "dihedral+uniform",
            "dihedral+uniform_blur",
        ]
        assert {k for k in plain if plain[k] != augmented[k]} == {"augment"}
        for source, size in (("phantom", 64), ("open", 96), ("pcam", 96)):
            run = Run("robustness", "sd_eq1_none", 0, "laptop", source)
            assert run.settings.size == run.config()["size"] == size
        assert Run("robustness", "sd_eq1_none", 0, "quick", "open").settings.size == 64
        assert Run("cutout", "sd_eq1", 0, "laptop", "open").settings.size == 64

    def test_the_papers_augmentation_has_no_cutout_where_cutouts_are_the_question(self):
        for name in ("cutout", "cutout_sensitivity"):
            arm = EXPERIMENTS[name].arms[0]
            found = {
                p: Run(name, arm.name, 0, p).config(arm)["augment"] for p in ("laptop", "paper")
            }
            assert found == {"laptop": "dihedral", "paper": "crop_flip+uniform_no_cutout"}
        run = Run("robustness", "sd_eq1_uniform", 0, "paper")
        assert run.config()["augment"] == "crop_flip+uniform"

    def test_methods_differ_by_loss_alone(self):
        """Either augmentation has a weight decay and an SD arm, equal but for what is compared."""
        by_name = {arm.name: arm for arm in ROBUSTNESS}
        for end in ("none", "uniform", "blur"):
            decay, sd = by_name[f"weight_decay_{end}"], by_name[f"sd_eq1_{end}"]
            assert (decay.weight_decay, decay.lam) == (1e-4, None)
            assert (sd.weight_decay, sd.lam) == (0.0, 0.01)
            for field in ("training", "augment", "search", "gamma", "step"):
                assert getattr(decay, field) == getattr(sd, field)
        decays, lambdas = (
            EXPERIMENTS["robustness"].space(name).grid
            for name in ("weight_decay_uniform", "sd_eq1_uniform")
        )
        assert len(decays["weight_decay"]) == len(lambdas["lam"])

    def test_every_search_that_an_arm_needs_exists(self):
        for experiment in EXPERIMENTS:
            for run in runs_of(experiment, "smoke", "open"):
                if run.search:
                    owner = EXPERIMENTS[experiment].searched_in or experiment
                    assert run.search in searches_of(owner, "smoke", "open")

    def test_the_search_seed_is_no_runs_seed(self):
        for name, experiment in EXPERIMENTS.items():
            for profile in PROFILES:
                assert experiment.search_seed not in {
                    r.seed for r in runs_of(name, profile, "open")
                }

    def test_places_of_a_search(self, monkeypatch, tmp_path):
        monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path))
        search = Search("cutout", "sd_eq2", "laptop", "open")
        assert search.id == "cutout/sd_eq2"
        expected = tmp_path / "open" / "laptop" / "cutout" / "search" / "sd_eq2" / "trials.jsonl"
        assert search.file == expected


class TestTuned:
    VALUES = {"lam_neg": 0.03, "lam_pos": 0.002, "gamma_neg": 0.5, "gamma_pos": 2.0}  # noqa: RUF012

    def test_each_kind_of_value(self):
        arm = Arm("a", "A", weight_decay=1.0)
        assert arm.tuned({"weight_decay": 0.5}).weight_decay == 0.5
        assert arm.tuned({"lam": 0.5}).lam == 0.5
        both = arm.tuned(self.VALUES)
        assert (both.lam, both.gamma) == ((0.03, 0.002), (0.5, 2.0))

    def test_neighbours_are_one_step_away(self):
        around = {arm.name: arm.tuned(self.VALUES) for arm in SENSITIVITY}
        assert len(around) == 16
        for neg in (-1, 0, 1):
            for pos in (-1, 0, 1):
                if (neg, pos) == (0, 0):
                    assert f"lam_{neg:+d}_{pos:+d}" not in around
                    continue
                lam = around[f"lam_{neg:+d}_{pos:+d}"]
                assert lam.lam == pytest.approx((0.03 * LAM_STEP**neg, 0.002 * LAM_STEP**pos))
                assert lam.gamma == (0.5, 2.0)
                gamma = around[f"gamma_{neg:+d}_{pos:+d}"]
                assert gamma.gamma == (0.5 + GAMMA_STEP * neg, 2.0 + GAMMA_STEP * pos)
                assert gamma.lam == (0.03, 0.002)
        assert {(arm.weight_decay, arm.training, arm.step) for arm in around.values()} == {
            (0.0, None, None)
        }

    def test_a_step_is_in_one_of_two_pairs(self):
        with pytest.raises(ConfigError, match="expected a step in lam or gamma, got 'mu'"):
            Step("mu", 1, 0)

    def test_a_tuned_arm_waits_for_its_search(self, outputs, recorded):
        run = Run("cutout_sensitivity", SENSITIVITY[0].name, 0, "laptop")
        with pytest.raises(DataError, match="python -m sdlib search cutout/sd_eq2_test --profile"):
            run.config()


class TestUnknown:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "cutout",
            "cutout/sd_eq2",
            "cutout/sd_eq2/3",
            "cutout/sd_eq2/seed",
            "cutout/sd_eq2/seed-1",
            "cutout/sd_eq2/seed1.5",
            "cutout/sd_eq2/seed²",
            "cutout/sd_eq2/seed1/again",
        ],
    )
    def test_a_run_that_cannot_be_read(self, text):
        with pytest.raises(ConfigError, match="expected a run such as cutout/sd_eq2/seed3, got"):
            parse_run(text, "quick", "phantom")

    @pytest.mark.parametrize(
        ("run", "profile", "source", "sentence"),
        [
            ("cutuot/sd_eq2/seed0", "quick", "phantom", "experiment 'cutuot'.*cutout, cutout_sens"),
            ("cutout/sd_eq3/seed0", "quick", "phantom", "arm of cutout 'sd_eq3'.*weight_decay, .*"),
            (
                "cutout/sd_eq2/seed0",
                "fast",
                "phantom",
                "profile 'fast'.*smoke, quick, laptop",
            ),
            ("cutout/sd_eq2/seed0", "quick", "helsinki", "source 'helsinki'.*phantom, open, pcam"),
        ],
    )
    def test_names(self, run, profile, source, sentence):
        with pytest.raises(ConfigError, match=f"unknown {sentence}"):
            parse_run(run, profile, source)

    @pytest.mark.parametrize("listing", [runs_of, searches_of])
    @pytest.mark.parametrize(
        "names",
        [("nope", "quick", "open"), ("cutout", "nope", "open"), ("cutout", "quick", "nope")],
    )
    def test_listings(self, listing, names):
        with pytest.raises(ConfigError, match=r"unknown .* 'nope'; expected one of: "):
            listing(*names)

    def test_a_negative_seed(self):
        with pytest.raises(ConfigError, match="expected a seed of 0 or more, got -1"):
            Run("cutout", "sd_eq2", -1)

    @pytest.mark.parametrize("seed", [99999999999999999999, 1.5, "1", True])
    def test_a_seed_that_cannot_be(self, seed):
        with pytest.raises(ConfigError, match="expected a seed from 0 to 18446744073709551615, a"):
            Run("cutout", "sd_eq2", seed)

    def test_a_seed_of_more_digits_than_python_reads(self):
        with pytest.raises(ConfigError, match=r"expected a seed .*, got one of 5000 digits"):
            parse_run(f"cutout/sd_eq2/seed{'9' * 5000}", "quick", "phantom")

    def test_every_source_says_what_it_is(self):
        assert all(len(source.description) > 10 for source in SOURCES.values())


def test_trials_judged_by_another_metric_are_another_search(monkeypatch):
    """An AUROC and an accuracy cannot be compared: the larger scale would win."""
    search = Search("cutout", "sd_eq1", "laptop", "phantom")
    before = search.config_hash
    spaces = [
        dataclasses.replace(one, metric="auroc") if one.name == "sd_eq1" else one
        for one in EXPERIMENTS["cutout"].searches
    ]
    other = dataclasses.replace(EXPERIMENTS["cutout"], searches=tuple(spaces))
    monkeypatch.setitem(EXPERIMENTS, "cutout", other)
    assert search.config_hash != before
