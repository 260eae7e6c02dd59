"""Annotation: labels are wrong as often as their rule says, and always on the same tiles."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import balanced_accuracy_score

from sdlib.errors import ConfigError
from sdlib.phantoms import ANNOTATIONS, Annotation, annotate

N = 60_000
TRUTH = np.arange(N) % 2
SEEDS = np.arange(N, dtype=np.int64) * 2_654_435_761 % 2**62


@pytest.mark.parametrize("rule", ANNOTATIONS)
def test_the_share_of_wrong_labels_is_the_rules(rule):
    labels = annotate(TRUTH, SEEDS, rule)
    assert labels.dtype == np.int64
    assert set(labels.tolist()) == {0, 1}
    shares = ANNOTATIONS[rule].benign_as_cancer, ANNOTATIONS[rule].cancer_as_benign
    for target, share in enumerate(shares):
        wrong = labels[target == TRUTH] != target
        # Four standard errors of a share.
        assert wrong.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / N * 2))


@pytest.mark.parametrize("rule", ANNOTATIONS)
def test_the_best_accuracy_is_that_of_the_truth(rule):
    """scikit-learn on many tiles against the closed form."""
    found = balanced_accuracy_score(annotate(TRUTH, SEEDS, rule), TRUTH)
    assert found == pytest.approx(ANNOTATIONS[rule].best_accuracy, abs=0.006)


def test_the_best_accuracy_at_its_ends():
    assert Annotation("right", "").best_accuracy == 1
    assert Annotation("turned", "", 1.0, 1.0).best_accuracy == 0
    assert Annotation("at random", "", 0.5, 0.5).best_accuracy == 0.5


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2**63 - 1)), min_size=1))
def test_a_tile_is_labelled_alike_whatever_tiles_are_beside_it(tiles):
    targets, seeds = np.array(tiles, np.int64).T
    for rule in ANNOTATIONS:
        together = annotate(targets, seeds, rule)
        alone = [annotate(t[None], s[None], rule)[0] for t, s in zip(targets, seeds, strict=True)]
        np.testing.assert_array_equal(together, alone)


def test_consensus_is_the_truth():
    np.testing.assert_array_equal(annotate(TRUTH, SEEDS, "consensus"), TRUTH)


def test_names_are_keys():
    assert all(name == rule.name for name, rule in ANNOTATIONS.items())


def test_an_unknown_rule_is_refused():
    with pytest.raises(ConfigError, match="unknown labels 'guess'; expected one of: cons"):
        annotate(TRUTH, SEEDS, "guess")
