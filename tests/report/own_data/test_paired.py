"""Intervals over seeds and patients: closed forms, brute force, and simulation."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats
from sklearn import metrics as sk

from sdlib.report.own_data.paired import MOST_BLOCKS, blocks_of, paired_differences


def share(targets, right):
    return np.array([right.mean()])


def auroc(targets, scores):
    return np.array([sk.roc_auc_score(targets, scores)])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class TestPaired:
    def test_of_a_mean_the_jackknife_is_the_standard_error(self, rng):
        """Closed form: with a patient an image, the jackknife of a mean is s / sqrt(n)."""
        targets, groups = np.arange(40) % 2, rng.permutation(40)
        own, rival = rng.normal(size=(2, 5, 40))
        found = paired_differences(share, targets, groups, own, rival)[0]
        apart = own - rival
        assert found.patient_error == pytest.approx(apart.mean(0).std(ddof=1) / np.sqrt(40))
        assert found.mean == pytest.approx(apart.mean())
        over_seeds = apart.mean(1)
        assert found.seed_error == pytest.approx(over_seeds.std(ddof=1) / np.sqrt(5))
        error = np.sqrt(apart.mean(0).var(ddof=1) / 40 + over_seeds.var(ddof=1) / 5)
        half = stats.t.ppf(0.975, 4) * error
        assert (found.low, found.high) == pytest.approx((apart.mean() - half, apart.mean() + half))
        power = stats.t.ppf(0.975, 4) + stats.t.ppf(0.8, 4)
        assert found.detectable == pytest.approx(power * error)

    def test_of_auroc_it_is_what_leaving_patients_out_one_by_one_gives(self, rng):
        groups = np.repeat(np.arange(12), 4)
        targets = rng.permutation(np.arange(48) % 2)
        own, rival = rng.normal(size=(2, 3, 48)) + targets
        found = paired_differences(auroc, targets, groups, own, rival)[0]
        without = []
        for patient in range(12):
            kept = groups != patient
            aurocs = [
                [sk.roc_auc_score(targets[kept], one[kept]) for one in scores]
                for scores in (own, rival)
            ]
            without.append(np.mean(aurocs[0]) - np.mean(aurocs[1]))
        assert found.patient_error == pytest.approx(np.sqrt(11 / 12 * 12 * np.var(without)))
        assert found.patients == 12

    def test_images_of_one_patient_are_no_more_than_the_patient(self, rng):
        """Each image three times: the same interval, though there are three times as many."""
        targets, groups = np.arange(30) % 2, np.arange(30)
        own, rival = rng.normal(size=(2, 4, 30))
        one = paired_differences(share, targets, groups, own, rival)[0]
        thrice = paired_differences(
            share,
            np.tile(targets, 3),
            np.tile(groups, 3),
            np.tile(own, 3),
            np.tile(rival, 3),
        )[0]
        assert (thrice.low, thrice.high) == pytest.approx((one.low, one.high))

    def test_it_holds_the_truth_as_often_as_it_says(self, rng):
        """Seeds and patients vary; the interval errs on the wide side, and not by far."""
        held, truth, trials = 0, 0.1, 300
        targets, groups = np.arange(60) % 2, np.repeat(np.arange(20), 3)
        for _ in range(trials):
            of_seeds, of_patients = rng.normal(0, 0.1, (5, 1)), rng.normal(0, 0.3, 20)
            apart = truth + of_seeds + of_patients[groups] + rng.normal(0, 0.2, (5, 60))
            found = paired_differences(share, targets, groups, apart, np.zeros((5, 60)))[0]
            held += found.low <= truth <= found.high
        assert 0.94 <= held / trials <= 1

    def test_fewer_than_three_seeds_have_no_interval(self, rng):
        own, rival = rng.normal(size=(2, 2, 10))
        found = paired_differences(share, np.arange(10) % 2, np.arange(10), own, rival)[0]
        assert np.isnan([found.low, found.high, found.detectable]).all()
        assert found.mean == pytest.approx((own - rival).mean())


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 1)), min_size=1, max_size=400))
def test_blocks_are_of_whole_patients(rows):
    groups, targets = np.array(rows).T
    blocks = blocks_of(targets, groups)
    patients = len(set(groups))
    assert all(len(set(blocks[groups == patient])) == 1 for patient in set(groups))
    assert set(blocks) == set(range(min(patients, MOST_BLOCKS)))


@given(st.integers(2, 400), st.integers(2, 400), st.integers(0, 99))
def test_no_block_holds_all_patients_of_a_class(negatives, positives, seed):
    targets = np.repeat([0, 1], [negatives, positives])
    groups = np.random.default_rng(seed).permutation(len(targets))
    blocks = blocks_of(targets, groups)
    for target in (0, 1):
        assert len(set(blocks[targets == target])) >= 2
