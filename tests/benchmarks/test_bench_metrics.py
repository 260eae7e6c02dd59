"""DeLong's test against confidenceinterval, the bootstrap against torchmetrics' BootStrapper."""

from importlib.metadata import version

import numpy as np
import pytest
import torch
from confidenceinterval.delong import compute_ground_truth_statistics, fastDeLong
from torchmetrics.classification import BinaryAUROC
from torchmetrics.wrappers import BootStrapper

from sdlib.metrics import bootstrap_auroc, delong_test

DELONG_AT_LEAST = 35
# Of 500 examples the peer takes 430 µs a resample on an idle core: 215 times less is 2 µs.
BOOTSTRAP_AT_LEAST = {500: 215, 5000: 125}
RESAMPLES = 1000


def drawn(n):
    rng = np.random.default_rng(n)
    y_true = rng.integers(0, 2, n)
    return y_true, y_true + rng.normal(size=n), y_true + rng.normal(size=n)


@pytest.mark.parametrize("n", [10_000, 100_000])
def test_delong(alternate, line, n):
    """The peer's public function is for one network; its inner one ranks two, as the test needs."""
    y_true, score_a, score_b = drawn(n)
    both = np.stack([score_a, score_b])

    def theirs():
        order, n_positive, _ = compute_ground_truth_statistics(y_true, None)
        fastDeLong(both[:, order], n_positive, None)

    peer = f"confidenceinterval {version('confidenceinterval')}, fastDeLong"
    calls = {"delong_test": lambda: delong_test(y_true, score_a, score_b), peer: theirs}
    fast, slow = alternate(calls, rounds=9).values()
    measured, against = f"{1e3 * fast:.2f} ms", f"{peer}, {1e3 * slow:.0f} ms"
    wanted = f"at least {DELONG_AT_LEAST}"
    line((f"delong_test, n = {n:,}", measured, against, f"{slow / fast:.0f}", wanted))
    assert slow / fast >= DELONG_AT_LEAST


@pytest.mark.parametrize("n", BOOTSTRAP_AT_LEAST)
def test_bootstrap(alternate, line, n):
    y_true, score, _ = drawn(n)
    targets, probabilities = torch.tensor(y_true), torch.tensor(score).sigmoid()

    def theirs():
        peer = BootStrapper(
            BinaryAUROC(validate_args=False),
            num_bootstraps=RESAMPLES,
            quantile=torch.tensor([0.025, 0.975]),
            sampling_strategy="multinomial",
        )
        peer.update(probabilities, targets)
        peer.compute()

    peer = f"torchmetrics {version('torchmetrics')}, BootStrapper"
    calls = {"bootstrap_auroc": lambda: bootstrap_auroc(y_true, score, RESAMPLES), peer: theirs}
    fast, slow = alternate(calls, rounds=3).values()
    measured = f"{1e6 * fast / RESAMPLES:.2f} µs a resample"
    against = f"{peer}, {1e6 * slow / RESAMPLES:.0f} µs"
    ratio, wanted = f"{slow / fast:.0f}", f"at least {BOOTSTRAP_AT_LEAST[n]}"
    line((f"bootstrap_auroc, n = {n:,}", measured, against, ratio, wanted))
    assert slow / fast >= BOOTSTRAP_AT_LEAST[n]
