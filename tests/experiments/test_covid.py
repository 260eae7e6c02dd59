"""What the experiments on films declare, read off the films' own factors."""

import json
import math

import numpy as np
import pytest
from scipy.special import log_ndtr

from sdlib.datasets import rendered
from sdlib.datasets.phantom_films import ADDED_RATIO
from sdlib.experiments import EXPERIMENTS, Run, Search, runs_of
from sdlib.experiments.comparisons import EnsembleDeLong
from sdlib.experiments.covid import ARMS, CHANGED, DECAY, HIDDEN, SD, changed_name
from sdlib.experiments.covid_lambdas import LAMBDAS, lambda_arm
from sdlib.experiments.paper import paper_table
from sdlib.paths import ROOT
from sdlib.phantoms.radiograph import FILM_VERSION, SIGNATURE_PARTS
from sdlib.training.data import load_tiles

SITUATIONS = {"covid": "shared", "covid_added": "added"}
NAMES = (*SITUATIONS, "covid_lambdas")
PARTS = ("train", "validation", "test")
EVERYWHERE = {"validation", "test", "external"}
#: Factors of each part of a signature, and of all of them.
NAMED = {name: set(factors) for name, factors in SIGNATURE_PARTS.items()}
NAMED["all"] = set.union(*NAMED.values())

each_situation = pytest.mark.parametrize("name", SITUATIONS)
each_experiment = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The films of each experiment at `smoke`, by cohort; one process renders them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_CACHE", str(tmp_path_factory.mktemp("films")))
        patch.setattr(rendered, "CHUNK", 10_000)
        return {
            name: load_tiles(runs_of(name, "smoke", "phantom")[0])
            for name in ("covid", "covid_added")
        }


class TestFilms:
    """What is trained and tested on, as the films themselves say."""

    def test_shared_is_of_one_hospital_with_both_classes(self, loaded):
        for part in PARTS:
            films = loaded["covid"][part]
            assert set(films.factors["source"]) == {"a"}
            assert films.targets.mean() == pytest.approx(0.5, abs=0.1)

    def test_added_has_most_negatives_from_another(self, loaded):
        films = loaded["covid_added"]["train"]
        a, negative = films.factors["source"] == "a", films.targets == 0
        assert set(films.factors["source"]) == {"a", "b"}
        assert negative[~a].all()
        assert (negative & ~a).sum() / (negative & a).sum() == pytest.approx(ADDED_RATIO, rel=0.2)
        for part in PARTS:
            own = loaded["covid_added"][part]
            own = own.subset(own.factors["source"] == "a")
            np.testing.assert_array_equal(own.images, loaded["covid"][part].images)

    def test_outside_is_one_hospital_and_the_same_for_both(self, loaded):
        one, other = (loaded[name]["external"] for name in SITUATIONS)
        assert set(one.factors["source"]) == {"c"}
        assert one.targets.mean() == 0.5
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.targets, other.targets)
        np.testing.assert_array_equal(one.groups, other.groups)

    @each_situation
    def test_no_patient_is_in_two_parts(self, loaded, name):
        patients = [set(loaded[name][cohort].groups) for cohort in (*PARTS, "external")]
        assert all(patients)
        assert len(set.union(*patients)) == sum(map(len, patients))

    @each_situation
    @pytest.mark.parametrize("part", CHANGED)
    def test_a_changed_cohort_differs_in_its_part_alone(self, loaded, name, part):
        own, other = loaded[name]["test"], loaded[name][changed_name(part)]
        for column in ("targets", "groups"):
            np.testing.assert_array_equal(getattr(own, column), getattr(other, column))
        assert set(own.factors) == set(other.factors)
        moved = {f for f in own.factors if (own.factors[f] != other.factors[f]).any()}
        assert moved
        assert moved <= NAMED[part]
        assert (own.images != other.images).any()

    @each_situation
    def test_lungs_and_surroundings_are_the_two_halves_of_the_test_films(self, loaded, name):
        whole = loaded[name]["test"]
        found = [loaded[name][seen] for seen in HIDDEN]
        shown = [one.images == whole.images for one in found]
        assert (shown[0] | shown[1]).mean() > 0.9  # a rim between them is in neither
        for one, same in zip(found, shown, strict=True):
            np.testing.assert_array_equal(one.targets, whole.targets)
            np.testing.assert_array_equal(one.groups, whole.groups)
            assert 0.1 < same.mean() < 0.9
            for image, visible in zip(one.images, same, strict=True):
                assert len(np.unique(image[~visible])) == 1  # all else has one grey


class TestDeclaration:
    @each_experiment
    def test_hidden_and_changed_films_are_tested_where_they_can_be_had(self, name):
        definition = EXPERIMENTS[name]
        phantom = EVERYWHERE | set(HIDDEN) | {changed_name(part) for part in CHANGED}
        assert set(definition.evaluation_at("phantom")) == phantom
        if name != "covid_lambdas":
            assert set(definition.evaluation_at("open")) == EVERYWHERE | set(HIDDEN)
            assert set(definition.evaluation_at("bimcv")) == EVERYWHERE

    @each_experiment
    def test_every_source_knows_all_that_its_cohorts_ask(self, name):
        definition = EXPERIMENTS[name]
        for source in definition.sources:
            cohorts = [definition.training, *definition.evaluation_at(source).values()]
            asked = {restriction for cohort in cohorts for restriction in cohort.where}
            assert asked <= set(definition.source(source).where)

    @each_experiment
    def test_films_are_used_as_they_are(self, name):
        definition = EXPERIMENTS[name]
        for cohort in (definition.training, *definition.evaluation.values()):
            assert cohort.prepare.name == "none"
            assert cohort.whole
            assert not cohort.balanced

    @each_situation
    def test_arms_have_the_papers_values_and_searches(self, name):
        arms = {arm.name: arm for arm in EXPERIMENTS[name].arms}
        assert list(arms) == ["weight_decay", "weight_decay_tuned", "sd_eq2", "sd_eq2_tuned"]
        # In section 3.4: (negative, positive).
        assert arms[SD].lam == (0.01, 0.001)
        assert arms[SD].gamma == (0.0, 1.0)
        assert arms[SD].weight_decay == 0
        assert arms[DECAY].weight_decay == 1e-4
        assert arms[DECAY].lam is None

    @pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
    @pytest.mark.parametrize("source", ["phantom", "open", "bimcv"])
    def test_both_methods_are_searched_equally(self, profile, source):
        for name in SITUATIONS:
            searches = [
                Search(name, family, profile, source) for family in ("weight_decay", "sd_eq2")
            ]
            spaces = [search.space for search in searches]
            assert {space.judged_on for space in spaces} == {"validation"}
            assert {space.metric for space in spaces} == {"auroc"}
            trials = {search.run.settings.trials for search in searches}
            assert {space.count(budget) for space in spaces for budget in trials} == trials
            assert len(trials) == 1
            # The strengths of both penalties over one range.
            decay, lam = spaces[0].ranges["weight_decay"], spaces[1].ranges["lam_neg"]
            assert decay == lam == spaces[1].ranges["lam_pos"]
        tuned = {arm.search for arm in ARMS if arm.name.endswith("_tuned")}
        assert tuned == {"weight_decay", "sd_eq2"}

    @each_situation
    @pytest.mark.parametrize("source", ["open", "bimcv"])
    def test_the_paper_profile_is_the_regimen_of_degrave(self, name, source):
        run = Run(name, SD, 0, "paper", source)
        settings, values = run.settings, run.config()
        assert settings.network == "densenet121"
        assert settings.size == 224
        assert settings.epochs == 30
        assert settings.batch_size == 16
        # A schedule's rate is that of a batch of 512.
        assert settings.learning_rate * settings.batch_size / 512 == pytest.approx(0.01)
        assert settings.falling == "steps"
        assert settings.kept == "best"
        assert settings.pretrained
        assert values["augment"] == "none"
        assert (values["dropout"], values["drop_path"]) == (0, 0)
        assert len({one.seed for one in runs_of(name, "paper", source)}) == 5

    def test_lambdas_are_trained_and_tested_as_where_negatives_are_added(self):
        added, lambdas = EXPERIMENTS["covid_added"], EXPERIMENTS["covid_lambdas"]
        assert lambdas.training == added.training
        assert dict(lambdas.evaluation) == added.evaluation_at("phantom")
        assert [arm.lam for arm in lambdas.arms] == list(LAMBDAS)
        assert [arm.name for arm in lambdas.arms] == [lambda_arm(lam) for lam in LAMBDAS]
        assert LAMBDAS[0] == 0
        assert lambdas.sources == ("phantom",)

    def test_the_notation_names_every_lambda(self):
        notation = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
        _, _, lines = notation.partition("`covid_lambdas`")
        listed = [line for line in lines.splitlines() if line.startswith("| `")]
        arms = EXPERIMENTS["covid_lambdas"].arms
        assert listed == [f"| `{arm.name}` | {arm.label} |" for arm in arms]

    def test_the_two_situations_differ_in_their_hash(self):
        one, other = (Run(name, SD, 0, "laptop").config() for name in SITUATIONS)
        assert {key for key in one if one[key] != other[key]} == {"situation"}
        assert one["images"] == "films"
        assert one["phantom_version"] == FILM_VERSION  # not that of tiles
        assert json.dumps(one)  # plain values only


class TestPaper:
    """Figure 7's numbers, and what is printed beside them."""

    figure = paper_table("figure7").set_index(["experiment", "arm"])

    def test_numbers_are_those_of_the_experiments_arms(self):
        assert set(self.figure.index) == {(name, arm) for name in SITUATIONS for arm in (SD, DECAY)}
        assert (self.figure["low"] < self.figure["auroc"]).all()
        assert (self.figure["auroc"] < self.figure["high"]).all()

    @each_situation
    def test_comparisons_have_the_difference_of_the_figure(self, name):
        figure = self.figure.loc[name]
        paper = figure.loc[SD, "auroc"] - figure.loc[DECAY, "auroc"]
        mine = [one for one in EXPERIMENTS[name].comparisons if one.claim in ("C12", "C13")]
        assert [one.premise for one in mine] == [True, False, False]  # the premise is ours
        stated = {one.paper for one in mine if not one.premise}
        assert len(stated) == 1
        assert stated.pop() == pytest.approx(paper, abs=1e-9)

    @pytest.mark.parametrize(("name", "one_tailed"), [("covid", 2.5e-57), ("covid_added", 3.8e-42)])
    def test_printed_p_values_are_not_those_of_the_printed_z(self, name, one_tailed):
        figure = self.figure.loc[name]
        assert figure["z"].nunique() == figure["printed_p"].nunique() == 1
        z, printed = figure["z"].iloc[0], figure["printed_p"].iloc[0]
        # Weight decay minus SD: negative where SD is better.
        assert (z < 0) == (figure.loc[SD, "auroc"] > figure.loc[DECAY, "auroc"])
        p = math.exp(log_ndtr(z))
        assert p == pytest.approx(one_tailed, rel=0.02)
        assert printed > 1.9 * p  # nor is it the two-tailed one, which is twice as large

    def test_claims_are_compared_on_ensembles_outside(self):
        found = {
            (
                one.claim,
                statistic.cohort,
                statistic.arm,
                statistic.rival,
                statistic.rival_experiment,
            )
            for name in SITUATIONS
            for one in EXPERIMENTS[name].comparisons
            if isinstance(statistic := one.statistic, EnsembleDeLong)
        }
        assert found == {
            ("C12", "external", SD, DECAY, ""),
            ("C13", "external", SD, DECAY, ""),
            ("C14", "external", SD, SD, "covid"),
            ("C14", "external", DECAY, DECAY, "covid"),
        }
