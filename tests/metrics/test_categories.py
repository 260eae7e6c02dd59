"""The AUROC of a category, against scikit-learn's of the same shares."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import roc_auc_score

from sdlib.metrics import category_auroc

counts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8)


@given(counts)
def test_it_is_scikit_learns(pairs):
    negative, positive = np.array(pairs).T
    if not negative.sum() or not positive.sum():
        assert np.isnan(category_auroc(negative, positive))
        return
    category = np.arange(len(pairs))
    rows = np.concatenate([np.repeat(category, negative), np.repeat(category, positive)])
    targets = np.repeat([0, 1], [negative.sum(), positive.sum()])
    shares = positive / np.maximum(positive + negative, 1)
    found = category_auroc(negative, positive)
    assert found == pytest.approx(roc_auc_score(targets, shares[rows]))
    assert found >= 0.5


def test_many_at_once():
    rng = np.random.default_rng(0)
    negative, positive = rng.integers(1, 9, (2, 5, 4))
    one_by_one = [category_auroc(*pair) for pair in zip(negative, positive, strict=True)]
    np.testing.assert_allclose(category_auroc(negative, positive), one_by_one)
