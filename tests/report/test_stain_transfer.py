"""Tables of the stain clusters."""

from types import SimpleNamespace

import pandas as pd

from sdlib.metrics import mean_interval
from sdlib.report.stain_transfer import transfer_differences, transfer_table

WD, SD = "weight_decay_uniform", "sd_eq1_uniform"


def test_transfer_has_accuracy_and_auroc_within_and_across():
    values = {"test.accuracy": 0.9, "across.accuracy": 0.7, "test.auroc": 0.95}

    def interval(metric, arm):
        return mean_interval([values[metric]] * 2) if metric in values else None

    table = transfer_table({"A to B": SimpleNamespace(arms=[WD], interval=interval)})
    assert table.index.tolist() == ["weight decay + UniformAugment"]
    cells = table.iloc[0]["A to B"]
    assert cells["same cluster"].startswith("0.900")
    assert cells["other cluster"].startswith("0.700")
    assert cells["same cluster, AUROC"].startswith("0.950")
    assert cells["other cluster, AUROC"] == "–"


def test_transfer_differences_are_paired_over_the_seeds_that_both_have():
    across = {WD: [0.60, 0.70, 0.80], SD: [0.65, 0.74]}
    rows = pd.DataFrame(
        [
            {"arm": arm, "seed": seed, "stale": False, "across.accuracy": value}
            for arm, values in across.items()
            for seed, value in enumerate(values)
        ]
    )
    places = {"A to B": SimpleNamespace(rows=rows), "B to A": SimpleNamespace(rows=rows.iloc[:0])}
    table = transfer_differences(places, [(SD, WD)])
    name = "SD Eq. 1 + UniformAugment, minus weight decay + UniformAugment"
    assert table.index.tolist() == [("A to B", name)]
    assert table.columns.tolist() == ["other cluster"]
    interval = mean_interval([5.0, 4.0])
    assert table.iloc[0, 0] == (f"+4.5 (0.7) [{interval.low:+.1f}, {interval.high:+.1f}] n = 2")
