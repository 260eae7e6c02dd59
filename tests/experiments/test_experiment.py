"""A wrong declaration is one sentence, when it is made."""

import dataclasses

import pytest

from sdlib.errors import ConfigError
from sdlib.experiments import EXPERIMENTS, Arm, config_hash
from sdlib.experiments.cohorts import Cohort
from sdlib.experiments.comparisons import Comparison, Elsewhere, Kind, Measured, PairedDifference
from sdlib.experiments.configuration import configuration
from sdlib.experiments.measurements import ACTIVATION_MAPS
from sdlib.experiments.registry import register
from sdlib.experiments.searches import Space
from sdlib.metrics import Interval
from tests.toy_experiments import TOY_SCANNERS, TOY_SHIFTS


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "Toy-1"}, "expected the name of an experiment in small letters"),
        ({"arms": TOY_SHIFTS.arms[:1] * 2}, "expected arms of toy_shifts with names of their own"),
        ({"arms": (Arm("a", "A", search="nowhere"),)}, "needs the search nowhere"),
        ({"evaluation": {"test": Cohort(("test",))}}, "unknown cohort of toy_shifts 'validation'"),
        (
            {"evaluation": {**TOY_SHIFTS.evaluation, "train": Cohort(("test",))}},
            "an evaluation cohort of toy_shifts is called 'train'",
        ),
        (
            {
                "evaluation": {**TOY_SHIFTS.evaluation, "cam": Cohort(("test",))},
                "measurements": (ACTIVATION_MAPS,),
            },
            "is called 'cam', which is the training cohort or a measurement",
        ),
        ({"overrides": {"lapotp": {"seeds": 3}}}, "unknown profile in the overrides"),
        ({"overrides": {("laptop", "opne"): {"size": 96}}}, "unknown source in the overrides"),
        ({"overrides": {"laptop": {"sedes": 3}}}, "unknown setting in the overrides"),
        ({"main_only": ("lng",)}, "unknown profile of toy_shifts 'lng'"),
        ({"profiles": ("smok",)}, "unknown profile of toy_shifts 'smok'"),
        ({"sources": ("phantm",)}, "unknown source of toy_shifts 'phantm'"),
        (
            {"more_seeds": {("laptop", "open"): {"nobody": 9}}},
            "unknown arm with more seeds of toy_shifts 'nobody'",
        ),
        ({"more_seeds": {("laptop", "opne"): {}}}, "unknown source with more seeds of toy_shifts"),
        (
            {"searches": (Space("s", "validation", grid={"lam": (0.1,)}, arm="nobody"),)},
            "unknown arm of the search s 'nobody'",
        ),
        ({"recorded_at": "lng"}, "unknown profile of toy_shifts 'lng'"),
        ({"images": "filsm"}, "unknown kind of images of toy_shifts 'filsm'; expected one of: ti"),
        ({"images": "films", "sources": ("pcam",)}, "unknown source of toy_shifts 'pcam'"),
        ({"sources": ("bimcv",)}, "unknown source of toy_shifts 'bimcv'"),
        (
            {"evaluation": {**TOY_SHIFTS.evaluation, "new": Cohort(("test",), sources=("nih",))}},
            "unknown source of a cohort of toy_shifts 'nih'",
        ),
    ],
)
def test_what_cannot_work_is_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        dataclasses.replace(TOY_SHIFTS, **changes)


def test_the_registry_refuses_what_would_hide_something(monkeypatch):
    for name in list(EXPERIMENTS):
        monkeypatch.setitem(EXPERIMENTS, name, EXPERIMENTS[name])  # restored afterwards
    with pytest.raises(ConfigError, match="two experiments called 'cutout'"):
        register(EXPERIMENTS["cutout"])
    twin = dataclasses.replace(
        TOY_SHIFTS, name="twin", comparisons=EXPERIMENTS["cutout"].comparisons
    )
    with pytest.raises(
        ConfigError, match="two experiments compare 'accuracy, SD over weight decay'"
    ):
        register(twin)
    with pytest.raises(ConfigError, match="borrows the searches of the unknown experiment 'cutot'"):
        register(dataclasses.replace(TOY_SHIFTS, searched_in="cutot"))
    with pytest.raises(ConfigError, match="tests networks of the unknown experiment 'cutot'"):
        register(dataclasses.replace(TOY_SHIFTS, networks_of="cutot"))
    assert "toy_shifts" not in EXPERIMENTS


def test_a_search_tries_what_an_arm_can_take():
    with pytest.raises(ConfigError, match="the search 'size' tries 'batch_size'"):
        Space("size", "validation", grid={"batch_size": (16, 32)})
    for grid, ranges in ((None, None), ({"lam": (0.1,)}, {"lam": (0.1, 1.0, True)})):
        with pytest.raises(ConfigError, match="expected either a grid or ranges"):
            Space("both", "validation", grid=grid, ranges=ranges)
    with pytest.raises(ConfigError, match="unknown metric of the search 'size' 'loss'; expected"):
        Space("size", "validation", grid={"lam": (0.1,)}, metric="loss")
    both = Arm("a", "A").tuned({"lam": 0.1, "weight_decay": 0.2})
    assert (both.lam, both.weight_decay) == (0.1, 0.2)


def test_which_tiles_are_trained_on_is_part_of_the_hash():
    def stamp(cohort):
        experiment = dataclasses.replace(TOY_SCANNERS, training=cohort)
        arm = experiment.arms[0]
        return config_hash(configuration(experiment, arm, "quick", "phantom", 0))

    cohorts = [
        Cohort(("train",)),
        Cohort(("train", "validation")),
        Cohort(("test",)),
        Cohort(("train",), whole=True),
        Cohort(("train",), {"scanner": "flash2"}),
        Cohort(("train",), balanced=False),
    ]
    assert len({stamp(cohort) for cohort in cohorts}) == len(cohorts)


def test_lookups_name_what_there_is():
    cutout = EXPERIMENTS["cutout"]
    for lookup, kind in ((cutout.arm, "arm"), (cutout.space, "search")):
        with pytest.raises(ConfigError, match=f"unknown {kind} of cutout 'nope'; expected one of"):
            lookup("nope")
    with pytest.raises(ConfigError, match="unknown measurement of cutout 'sweep'"):
        cutout.measurement("sweep")
    assert cutout.claims == ("C1", "C2", "C4")


def test_a_statistic_elsewhere_is_that_of_the_other_experiment():
    class Place:
        def of(self, experiment):
            return f"the place of {experiment}"

    found = Measured(Interval(3, 0.1, 0.0, 0.1, 0.1))
    seen = []
    statistic = Elsewhere("cutout", lambda place: seen.append(place) or found)
    comparison = Comparison("C4", "premise", Kind.GAIN, statistic, premise=True)
    assert comparison.measured(Place()) == {"premise": found}
    assert seen == ["the place of cutout"]
    assert isinstance(EXPERIMENTS["cutout"].comparisons[0].statistic, PairedDifference)
