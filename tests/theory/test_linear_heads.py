"""Linear heads at rest: against closed forms, scipy, scikit-learn and gradient descent."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import optimize
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from sdlib.errors import ConfigError
from sdlib.losses import SpectralDecouplingLoss
from sdlib.theory.linear_heads import (
    centroid_head,
    descend,
    fit_head,
    least_norm_head,
    make_design,
)
from sdlib.theory.optima import resting_logits

EQUATION_2 = {"lam": (0.01, 0.001), "gamma": (0.0, 1.0)}  # the paper's values of section 3.4


def films(n=12, d=40, seed=0):
    """Features of uneven strength that tell the classes a little, and targets."""
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(n) % 2)
    features = rng.normal(size=(n, d)) * np.geomspace(3, 0.1, d) + 5
    features[:, 0] += targets
    return features, targets


def cosine(one, other):
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


def loss_of(weights, rows, targets, lam=0.0, gamma=None, decay=0.0):
    """The loss that networks are trained with, plus weight decay as optimisers have it."""
    weights = torch.from_numpy(weights).requires_grad_()
    criterion = SpectralDecouplingLoss(lam, gamma).double()
    logits = torch.from_numpy(rows) @ weights
    loss = criterion(logits, torch.from_numpy(targets).double())
    loss = loss + decay / 2 * weights.square().sum()
    loss.backward()
    return loss.item(), weights.grad.numpy()


class TestDesign:
    def test_its_directions_make_the_standardised_features(self):
        features, _ = films()
        design = make_design(features)
        rows = (features - features.mean(0)) / features.std(0)
        np.testing.assert_allclose(design.rows(features)[:, :-1], rows, atol=1e-12)
        np.testing.assert_allclose(
            (design.u * design.s) @ design.v.T, design.rows(features), atol=1e-12
        )
        assert design.u.shape == (12, 12)

    def test_a_constant_feature_is_left_out(self):
        features, targets = films()
        # The mean of a third misses it by a rounding.
        more = np.hstack([features, np.full((len(features), 1), 1 / 3)])
        head = least_norm_head(make_design(more), targets, 0.1)
        plain = least_norm_head(make_design(features), targets, 0.1)
        np.testing.assert_allclose(np.delete(head.weights, -2), plain.weights, atol=1e-12)
        assert head.weights[-2] == pytest.approx(0, abs=1e-12)

    def test_the_rank_with_films_twice(self):
        features, _ = films()
        assert make_design(np.vstack([features, features[:3]])).u.shape == (15, 12)
        assert make_design(np.tile(features, (8, 1))[:, :5]).u.shape == (96, 6)


class TestSpectralDecouplingAtRest:
    @pytest.mark.parametrize("lam", [10.0, 0.1, 1e-3, 1e-6])
    def test_every_film_has_the_same_margin(self, lam):
        features, targets = films()
        head = fit_head(make_design(features), targets, lam)
        margins = (2 * targets - 1) * head.logits
        np.testing.assert_allclose(margins, resting_logits(lam)[1], rtol=1e-8)

    @pytest.mark.parametrize("given", [{"lam": 0.03}, EQUATION_2], ids=["Eq. 1", "Eq. 2"])
    def test_newton_agrees_with_the_closed_form(self, given):
        features, targets = films()
        design = make_design(features)
        found = fit_head(design, targets, **given)
        expected = least_norm_head(design, targets, **given)
        np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-7, atol=1e-10)
        rows = design.rows(features)
        logits = np.where(targets == 1, *resting_logits(**given)[::-1])
        # NumPy's pseudo-inverse has a decomposition of its own.
        np.testing.assert_allclose(found.weights, np.linalg.pinv(rows) @ logits, atol=1e-7)

    def test_no_shorter_head_has_these_logits(self):
        features, targets = films()
        design = make_design(features)
        head, rows = fit_head(design, targets, 0.03), design.rows(features)
        # In the span of the films, and all that leaves their logits alone is at right angles.
        fitted = np.linalg.lstsq(rows.T, head.weights, rcond=None)[0]
        np.testing.assert_allclose(rows.T @ fitted, head.weights, atol=1e-9)
        unseen = np.linalg.svd(rows)[2][len(rows) :]
        assert len(unseen) == rows.shape[1] - len(rows)
        np.testing.assert_allclose(unseen @ head.weights, 0, atol=1e-9)

    def test_the_direction_depends_on_neither_lam_nor_gamma(self):
        """The ranking of new films is that of least squares on the targets."""
        features, targets = films()
        design = make_design(features)
        squares = np.linalg.pinv(design.rows(features)) @ (2.0 * targets - 1)
        for values in ({"lam": 10.0}, {"lam": 1e-6}, EQUATION_2):
            weights = fit_head(design, targets, **values).weights
            assert cosine(weights[:-1], squares[:-1]) == pytest.approx(1, abs=1e-12)

    def test_weak_directions_have_the_largest_weights(self):
        features, targets = films(n=40, d=60)
        design = make_design(features)
        sd, decay = fit_head(design, targets, 0.1), fit_head(design, targets, decay=1.0)
        assert sd.weak_share > 0.5 > decay.weak_share
        # All but the bias, by the decomposition of the features alone.
        rows = design.rows(features)[:, :-1]
        squares = (np.linalg.svd(rows, full_matrices=False)[2][:39] @ sd.weights[:-1]) ** 2
        assert sd.weak_share == pytest.approx(squares[19:].sum() / squares.sum())
        shares = resting_logits(0.1)[1] * design.u.T @ (2 * targets - 1)
        np.testing.assert_allclose(sd.along, shares / design.s, atol=1e-10)

    def test_gradient_descent_from_0_comes_to_it(self):
        """On the weights themselves, of which it is told nothing but their gradient."""
        features, targets = films(n=6, d=30)
        design = make_design(features)
        rows, weights = design.rows(features), np.zeros(31)
        rate = 6 / np.linalg.norm(rows, 2) ** 2
        for _ in range(2000):
            weights = weights - rate * loss_of(weights, rows, targets, 0.5)[1]
        expected = least_norm_head(design, targets, 0.5).weights
        np.testing.assert_allclose(weights, expected, atol=1e-9)
        away = np.full(31, 0.1)
        for _ in range(500):
            away = away - rate * loss_of(away, rows, targets, 0.5)[1]
        assert np.abs(away - expected).max() > 0.01  # from elsewhere it does not

    def test_descend_takes_the_same_steps(self):
        features, targets = films(n=6, d=30)
        design = make_design(features)
        rows, weights = design.rows(features), np.zeros(31)
        rate = 1 / (np.linalg.norm(rows, 2) ** 2 * (0.5 + 0.25) / 6 + 0.2)
        for _ in range(17):
            weights = weights - rate * loss_of(weights, rows, targets, 0.5, decay=0.2)[1]
        found = descend(design, targets, 0.5, 0.2, steps=17)
        np.testing.assert_allclose(found.weights, weights, atol=1e-12)
        rest = fit_head(design, targets, 0.5, decay=0.2)
        np.testing.assert_allclose(
            descend(design, targets, 0.5, 0.2, steps=3000).weights, rest.weights, atol=1e-9
        )


class TestAgainstOthers:
    @pytest.mark.parametrize("shape", [(12, 40), (60, 8)], ids=["n < d", "n > d"])
    @pytest.mark.parametrize(
        "given",
        [{"lam": 0.05}, EQUATION_2, {"decay": 0.02}, {"lam": 0.05, "decay": 0.02}],
        ids=["Eq. 1", "Eq. 2", "weight decay", "both"],
    )
    def test_the_loss_of_networks_is_least(self, shape, given):
        """By scipy's L-BFGS from 0, with the loss that networks are trained with."""
        features, targets = films(*shape)
        design = make_design(features)
        rows, head = design.rows(features), fit_head(design, targets, **given)
        found = optimize.minimize(
            lambda w: loss_of(w, rows, targets, **given),
            np.zeros(rows.shape[1]),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 0, "gtol": 1e-9},
        )
        np.testing.assert_allclose(head.weights, found.x, atol=2e-5)
        assert loss_of(head.weights, rows, targets, **given)[0] <= found.fun + 1e-14

    @pytest.mark.parametrize("decay", [10.0, 0.1, 1e-3])
    def test_weight_decay_is_scikit_learns(self, decay):
        features, targets = films(60, 90)
        design = make_design(features)
        model = LogisticRegression(
            C=1 / (decay * len(targets)), fit_intercept=False, tol=1e-12, max_iter=10_000
        )
        model.fit(design.rows(features), targets)
        found = fit_head(design, targets, decay=decay).weights
        np.testing.assert_allclose(found, model.coef_[0], atol=1e-5)

    def test_a_large_decay_leads_to_the_class_means(self):
        features, targets = films(40, 60)
        design = make_design(features)
        head, limit = fit_head(design, targets, decay=1e4), centroid_head(design, targets)
        assert cosine(head.weights, limit.weights) == pytest.approx(1, abs=1e-6)
        rows = design.rows(features)
        means = [rows[targets == target].mean(0) for target in (0, 1)]
        np.testing.assert_allclose(limit.weights, (means[1] - means[0]) / 2, atol=1e-12)

    def test_a_small_decay_leads_to_the_largest_margin(self):
        features, targets = films(30, 40)
        design = make_design(features)
        rows = design.rows(features)
        machine = SVC(kernel="linear", C=1e6, tol=1e-8).fit(rows, targets)
        largest = 1 / np.linalg.norm(machine.coef_)

        def margin(head):
            return ((2 * targets - 1) * head.logits).min() / np.linalg.norm(head.weights)

        found = [margin(fit_head(design, targets, decay=decay)) for decay in (1.0, 1e-3, 1e-9)]
        assert found == sorted(found)
        assert 0.9 * largest < found[-1] <= largest * (1 + 1e-6)

    def test_a_start_changes_the_way_not_the_end(self):
        features, targets = films()
        design = make_design(features)
        cold = fit_head(design, targets, decay=1e-3)
        warm = fit_head(design, targets, decay=1e-3, start=fit_head(design, targets, decay=1e-2))
        np.testing.assert_allclose(warm.weights, cold.weights, atol=1e-8)


def test_new_films_are_predicted_by_their_standardised_features():
    features, targets = films()
    head = fit_head(make_design(features), targets, 0.1)
    new, _ = films(seed=5)
    by_hand = (new - features.mean(0)) / features.std(0) @ head.weights[:-1] + head.weights[-1]
    np.testing.assert_allclose(head.predict(new), by_hand, atol=1e-12)
    np.testing.assert_allclose(head.predict(features), head.logits, atol=1e-9)
    along = head.design.coordinates(new) @ head.along
    np.testing.assert_allclose(along, by_hand, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 15),
    seed=st.integers(0, 1000),
    lam=st.floats(1e-6, 10),
    shift=st.floats(-100, 100),
    scale=st.floats(1e-3, 1e3),
)
def test_units_of_features_do_not_matter(n, seed, lam, shift, scale):
    features, targets = films(n, 30, seed)
    first = fit_head(make_design(features), targets, lam)
    other = fit_head(make_design(shift + scale * features), targets, lam)
    np.testing.assert_allclose(other.weights, first.weights, rtol=1e-5, atol=1e-6)


class TestBadInput:
    design = make_design(films()[0])
    targets = films()[1]

    @pytest.mark.parametrize(
        ("features", "match"),
        [
            (np.zeros(5), r"features of shape \(n, d\), got \(5,\)"),
            (np.zeros((5, 0)), r"features of shape \(n, d\), got \(5, 0\)"),
            (np.zeros((1, 4)), "at least 2 films, got 1"),
            ([[1.0, 2.0], [np.nan, 1.0]], "NaN or an infinity in row 1"),
        ],
    )
    def test_features(self, features, match):
        with pytest.raises(ConfigError, match=match):
            make_design(features)

    def test_new_films_of_another_kind(self):
        head = fit_head(self.design, self.targets, 0.1)
        with pytest.raises(ConfigError, match=r"expected 40 features, .* got 3"):
            head.predict(np.zeros((2, 3)))

    @pytest.mark.parametrize("make", [fit_head, least_norm_head, centroid_head, descend])
    @pytest.mark.parametrize(
        ("targets", "match"),
        [([0, 1], r"expected 12 targets, .* got \(2,\)"), ([2] * 12, r"in \{0, 1\}, got 2")],
    )
    def test_targets(self, make, targets, match):
        given = {} if make is centroid_head else {"lam": 0.1}
        with pytest.raises(ConfigError, match=match):
            make(self.design, targets, **given)

    def test_no_penalty(self):
        with pytest.raises(ConfigError, match="expected a positive lam or decay: without"):
            fit_head(self.design, self.targets)
        with pytest.raises(ConfigError, match="expected a positive lam: without"):
            least_norm_head(self.design, self.targets, 0.0)

    @pytest.mark.parametrize("given", [{"lam": -1.0}, {"decay": -1.0}, {"decay": float("nan")}])
    def test_strengths(self, given):
        with pytest.raises(ConfigError, match="one finite number of at least 0, got"):
            fit_head(self.design, self.targets, **given)

    def test_more_films_than_features_have_no_closed_form(self):
        features, targets = films(60, 8)
        with pytest.raises(ConfigError, match="got 60 films of rank 9: use fewer films, or fit"):
            least_norm_head(make_design(features), targets, 0.1)

    def test_a_film_that_is_there_twice(self):
        features, targets = films()
        twice = make_design(np.vstack([features, features[:1]]))
        same, other = np.append(targets, targets[0]), np.append(targets, 1 - targets[0])
        np.testing.assert_allclose(
            least_norm_head(twice, same, 0.1).weights,
            fit_head(twice, same, 0.1).weights,
            atol=1e-7,
        )
        with pytest.raises(ConfigError, match="got 13 films of rank 12"):
            least_norm_head(twice, other, 0.1)

    def test_steps(self):
        with pytest.raises(ConfigError, match="expected steps"):
            descend(self.design, self.targets, 0.1, steps=-1)
