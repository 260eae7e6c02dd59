"""Tables of the stain clusters."""

import json

import pytest

from sdlib.experiments import Run
from sdlib.metrics import mean_interval
from sdlib.report.stain_transfer import transfer_differences, transfer_panels, transfer_table
from sdlib.results import Place

WD, SD = "weight_decay_uniform", "sd_eq1_uniform"
NAME = "SD Eq. 1 + UniformAugment, minus weight decay + UniformAugment"


@pytest.fixture
def record(recorded, row_of):
    """`record(experiment, arm=[metrics of seed 0, ...])`: the place with those rows."""

    def make(experiment, **arms):
        place = Place(experiment, "smoke", "open")
        rows = [
            row_of(Run(experiment, arm, seed, "smoke", "open"), **metrics)
            for arm, seeds in arms.items()
            for seed, metrics in enumerate(seeds)
        ]
        if rows:
            place.recorded_file(".jsonl").write_text("\n".join(map(json.dumps, rows)))
        return place

    return make


def test_transfer_has_accuracy_and_auroc_within_and_across(record):
    metrics = {"test__accuracy": 0.9, "across__accuracy": 0.7, "test__auroc": 0.95}
    table = transfer_table({"A to B": record("stain_a", **{WD: [metrics, metrics]})})
    assert table.index.tolist() == ["weight decay + UniformAugment"]
    cells = table.iloc[0]["A to B"]
    assert cells["same cluster"].startswith("0.900")
    assert cells["other cluster"].startswith("0.700")
    assert cells["same cluster, AUROC"].startswith("0.950")
    assert cells["other cluster, AUROC"] == "–"


def test_transfer_differences_are_paired_over_the_seeds_that_both_have(record):
    across = {WD: [0.60, 0.70, 0.80, 0.90], SD: [0.65, 0.74, 0.83]}
    rows = {arm: [{"across__accuracy": v} for v in values] for arm, values in across.items()}
    places = {"A to B": record("stain_a", **rows), "B to A": record("stain_b")}
    table = transfer_differences(places, [(SD, WD)])
    assert table.index.tolist() == [("A to B", NAME)]
    assert table.columns.tolist() == ["other cluster"]
    interval = mean_interval([5.0, 4.0, 3.0])
    assert table.iloc[0, 0] == f"+4.0 (1.0) [{interval.low:+.1f}, {interval.high:+.1f}] n = 3"


def test_two_seeds_are_told_one_by_one(record):
    across = {WD: [0.60, 0.70, 0.80], SD: [0.65, 0.74]}
    rows = {arm: [{"across__accuracy": v} for v in values] for arm, values in across.items()}
    table = transfer_differences({"A to B": record("stain_a", **rows)}, [(SD, WD)])
    assert table.iloc[0, 0] == "+4.0 and +5.0, two seeds"


def test_without_rows_there_are_no_lines(record):
    places = {"A to B": record("stain_a")}
    assert not len(transfer_table(places))
    assert not len(transfer_differences(places, [(SD, WD)]))


def test_what_is_drawn_has_the_numbers_of_the_table(record):
    ours = [{"test__accuracy": 0.9, "across__accuracy": 0.7 + 0.01 * k} for k in range(3)]
    rivals = [{"test__accuracy": 0.9, "across__accuracy": 0.6} for _ in range(3)]
    places = {"A to B": record("stain_a", **{SD: ours, WD: rivals})}
    panels = transfer_panels(places, {"gain": (SD, WD)})
    assert panels["A to B"]["other cluster: gain"] == pytest.approx([0.1, 0.11, 0.12])
    table = transfer_differences(places, [(SD, WD)])
    drawn = [100 * values.mean() for values in panels["A to B"].values()]
    assert [float(cell.split()[0]) for cell in table.loc["A to B", NAME]] == pytest.approx(drawn)
