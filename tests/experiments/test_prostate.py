"""The prostate experiment and the stain clusters: cohorts are what their names say."""

import dataclasses
import itertools

import numpy as np
import pytest

from sdlib.datasets.source import Request
from sdlib.datasets.sources import SOURCES
from sdlib.errors import ConfigError
from sdlib.experiments import EXPERIMENTS, PROFILES, Run, config_hash, paper_table
from sdlib.experiments.prostate import DECAY, MACENKO, PARTS_OF_D, SD, parts_name
from sdlib.phantoms import CENTRES, SCANNERS, annotate
from sdlib.training.data import load_tiles

PROSTATE = EXPERIMENTS["prostate"]
TAKEN_APART = [
    *((part,) for part in PARTS_OF_D),
    *itertools.combinations(PARTS_OF_D, 2),
    tuple(PARTS_OF_D),
]
TISSUE = ("gland_size", "nuclear_size", "stroma_cellularity")


def names(parts):
    return "_".join(parts)


def tiles_of(where, part="test"):
    smoke = PROFILES["smoke"]
    return SOURCES["phantom"].tiles(Request(part, smoke.size, smoke.tiles, 0, where))


def where_of(parts):
    """The restrictions of a cohort, as the experiment declares them; of all parts as of D."""
    cohort = "external" if len(parts) == len(PARTS_OF_D) else parts_name(parts)
    return PROSTATE.evaluation[cohort].where


@pytest.fixture
def own(smoke):
    return tiles_of({})


class TestTakenApart:
    def test_there_is_a_cohort_of_every_part_and_pair(self):
        found = {name for name in PROSTATE.evaluation if name.startswith("only_")}
        assert found == {parts_name(parts) for parts in TAKEN_APART[:-1]}
        assert all(PROSTATE.evaluation[name].metrics_only for name in found)
        assert len(found) == 15

    @pytest.mark.parametrize("parts", TAKEN_APART, ids=names)
    def test_what_is_different_is_what_the_name_says(self, own, parts):
        """Read off the tiles' factors: nothing is known here of the declared restrictions."""
        tiles = tiles_of(where_of(parts))
        factors = tiles.factors
        centre, scanner = ("radboud" if "stain" in parts else "helsinki"), "axioscan"
        if "scanner" in parts:
            scanner = "flash2"
        assert set(factors["centre"]) == {centre}
        assert set(factors["scanner"]) == {scanner}
        assert np.median(factors["sharpness"]) == pytest.approx(
            SCANNERS[scanner].sharpness, rel=0.1
        )
        for stain in ("haematoxylin", "eosin"):
            mean = getattr(CENTRES[centre], f"{stain}_mean")
            assert np.median(factors[stain]) == pytest.approx(mean, rel=0.2)
        theirs = {patient.split("-")[0] for patient in tiles.groups}
        assert theirs == {"external" if "patients" in parts else "development"}
        wrong = tiles.targets != factors["truth"]
        rule = "regions" if "labels" in parts else "consensus"
        expected = annotate(factors["truth"], factors["seed"], rule)
        np.testing.assert_array_equal(tiles.targets, expected)
        assert wrong.any() == ("labels" in parts)
        # The same tissue, seen at the magnification that the name says.
        base = tiles_of({"cohort": "external"}) if "patients" in parts else own
        np.testing.assert_array_equal(factors["seed"], base.factors["seed"])
        length = 0.8 if "magnification" in parts else 1.0
        np.testing.assert_allclose(factors["gland_size"], length * base.factors["gland_size"])
        cells = base.factors["stroma_cellularity"] / length**2
        np.testing.assert_allclose(factors["stroma_cellularity"], cells)

    def test_all_five_parts_together_are_the_other_centre(self, smoke):
        """Pixels, labels and factors: what is taken apart is the gap itself."""
        where = {}
        for part in ("patients", *(one for one in PARTS_OF_D if one != "patients")):
            where |= PARTS_OF_D[part]
        together, external = tiles_of(where), tiles_of(PROSTATE.evaluation["external"].where)
        np.testing.assert_array_equal(together.images, external.images)
        np.testing.assert_array_equal(together.targets, external.targets)
        np.testing.assert_array_equal(together.groups, external.groups)
        for name, column in external.factors.items():
            np.testing.assert_array_equal(together.factors[name], column)


class TestEvaluation:
    @pytest.fixture
    def tiles(self, smoke):
        return load_tiles(Run("prostate", SD, 0, "smoke"), only=("test", "later", "rescanned"))

    def test_the_papers_sets(self, tiles):
        """Same scanner and cohort; later patients, labelled otherwise; the patients rescanned."""
        seen = {
            name: (set(t.factors["scanner"]), set(t.factors["cohort"])) for name, t in tiles.items()
        }
        assert seen["test"] == ({"axioscan"}, {"development"})
        assert seen["later"] == ({"axioscan"}, {"later"})
        assert seen["rescanned"] == ({"flash3"}, {"development"})
        np.testing.assert_array_equal(
            tiles["test"].factors["seed"], tiles["rescanned"].factors["seed"]
        )
        assert (tiles["later"].targets != tiles["later"].factors["truth"]).any()
        for name in ("test", "rescanned"):
            np.testing.assert_array_equal(tiles[name].targets, tiles[name].factors["truth"])
        groups = [set(tiles[name].groups) for name in ("train", "test", "later")]
        assert sum(map(len, groups)) == len(set.union(*groups))

    def test_every_panel_of_the_figure_is_a_cohort_with_a_comparison(self):
        table = paper_table("figure5")
        assert set(table["cohort"]) <= set(PROSTATE.evaluation)
        declared = [c.paper for c in PROSTATE.comparisons if c.claim == "C8"]
        assert declared == table["difference"].tolist()

    def test_the_normalised_set_is_the_external_one(self):
        external, normalised = (PROSTATE.evaluation[f"external{n}"] for n in ("", "_normalised"))
        assert normalised.same_tiles(external)
        assert normalised.prepare is MACENKO
        assert MACENKO.fitted
        assert PROSTATE.cohort_of_targets("external_normalised") == "external"


class TestDeclaration:
    def test_networks_are_those_of_robustness_wherever_both_are_run(self):
        """Else nothing could be lent: every arm has the very same configuration there."""
        for profile in PROSTATE.profiles:
            for arm in PROSTATE.arms_at(profile):
                run = Run("prostate", arm.name, 1, profile)
                stamps = [config_hash(one.config(arm)) for one in (run, run.lender)]
                assert stamps[0] == stamps[1]

    def test_it_is_swept_outside_by_stain_alone(self):
        assert PROSTATE.sweep.cohort == "external"
        assert PROSTATE.sweep.shifts == ("haematoxylin", "eosin")

    def test_a_sweep_of_logits_that_are_not_kept_is_refused(self):
        lost = dataclasses.replace(PROSTATE.sweep, cohort="only_stain")
        with pytest.raises(ConfigError, match="prostate sweeps only_stain, whose logits are not"):
            dataclasses.replace(PROSTATE, measurements=(lost,))
        gone = dataclasses.replace(PROSTATE.sweep, cohort="nowhere")
        with pytest.raises(ConfigError, match="unknown cohort of prostate 'nowhere'"):
            dataclasses.replace(PROSTATE, measurements=(gone,))

    @pytest.mark.parametrize(("name", "other"), [("stain_a", "B"), ("stain_b", "A")])
    def test_stain_clusters_are_tested_as_they_are_and_normalised(self, name, other):
        experiment = EXPERIMENTS[name]
        across, normalised = (experiment.evaluation[f"across{n}"] for n in ("", "_normalised"))
        assert across.where == {"cluster": other}
        assert normalised.same_tiles(across)
        assert normalised.prepare is MACENKO
        assert experiment.training.where["cluster"] != other

    @pytest.mark.parametrize("name", ["stain_a", "stain_b"])
    def test_arms_with_stain_augmentation_differ_from_their_models_in_nothing_else(self, name):
        experiment = EXPERIMENTS[name]
        pairs = {"weight_decay_stain": DECAY, "sd_eq1_stain": SD}
        for new, old in pairs.items():
            configs = [Run(name, arm, 0, "laptop", "open").config() for arm in (new, old)]
            differ = {key for key in configs[0] if configs[0][key] != configs[1][key]}
            assert differ == {"augment"}
            assert configs[0]["augment"] == f"{configs[1]['augment']}+stain"
            assert not experiment.arm(new).main
        looks = [(arm.look.colour, arm.look.marker, arm.look.dash) for arm in experiment.arms]
        assert len(set(looks)) == len(looks)
