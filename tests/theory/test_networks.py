"""Feature matrices against autograd and closed forms; the two moons against plain PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn

from sdlib.errors import ConfigError
from sdlib.losses import SpectralDecouplingLoss
from sdlib.theory.features import decompose, feature_matrix, responses
from sdlib.theory.moons import ARMS, Arm, network, train, two_moons

HIDDEN = 20


@pytest.fixture
def moons():
    x, y = two_moons(40)
    return x.double(), y


def test_feature_matrix_is_autograd_one_example_at_a_time(moons):
    x, _ = moons
    model = network(0, HIDDEN).double()
    rows = []
    for example in x:
        gradients = torch.autograd.grad(model(example[None])[0], list(model.parameters()))
        rows.append(torch.cat([g.flatten() for g in gradients]))
    torch.testing.assert_close(feature_matrix(model, x), torch.stack(rows))


def test_feature_matrix_of_a_linear_model_is_its_inputs_and_the_output_is_linear_in_them():
    x, model = torch.randn(7, 3), nn.Linear(3, 1)
    phi = feature_matrix(model, x)
    torch.testing.assert_close(phi, torch.cat([x, torch.ones(7, 1)], dim=1))
    theta = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(phi @ theta, model(x).detach()[:, 0])


def test_feature_matrix_predicts_a_small_change_of_the_parameters(moons):
    x, _ = moons
    model = network(1, HIDDEN).double()
    phi, before = feature_matrix(model, x), model(x).detach()
    step = 1e-6 * torch.randn(phi.shape[1], dtype=torch.float64)
    parameters = nn.utils.parameters_to_vector(model.parameters())
    nn.utils.vector_to_parameters(parameters + step, model.parameters())
    torch.testing.assert_close(model(x).detach() - before, phi @ step, rtol=1e-4, atol=1e-9)


def test_decomposition_is_one_and_its_responses_give_back_the_margins(moons):
    x, y = moons
    model, signs = network(0, HIDDEN).double(), 2 * y - 1
    phi = feature_matrix(model, x)
    u, s, vt = decompose(phi, y)
    torch.testing.assert_close((u * s) @ vt, signs[:, None] * phi)
    torch.testing.assert_close(u.T @ u, torch.eye(len(s), dtype=torch.float64))
    assert (s.diff() <= 0).all()
    assert (u.sum(dim=0) >= 0).all()
    logits = torch.randn(3, len(x), dtype=torch.float64)
    torch.testing.assert_close(responses(u, logits, y) @ u.T, signs * logits)


def test_networks_with_several_outputs_and_bad_targets_are_refused():
    with pytest.raises(ConfigError, match="one logit per example, got 2"):
        feature_matrix(nn.Linear(3, 2), torch.zeros(4, 3))
    for targets in (torch.zeros(3), torch.tensor([0, 1, 2, 1])):
        with pytest.raises(ConfigError, match=r"4 targets in \{0, 1\}"):
            decompose(torch.zeros(4, 2), targets)
        with pytest.raises(ConfigError, match=r"4 targets in \{0, 1\}"):
            responses(torch.zeros(4, 2), torch.zeros(4), targets)


@pytest.mark.parametrize("margin", [0.1, 0.0, -0.1])
def test_moons_end_at_the_margin(margin):
    x, y = two_moons(margin=margin)
    assert x.shape == (300, 2)
    assert y.sum() == 150
    assert x[y == 0, 0].max().item() == pytest.approx(-margin, abs=1e-6)
    assert x[y == 1, 0].min().item() == pytest.approx(margin, abs=1e-6)
    assert ((x[:, 0] > 0) == (y == 1)).all() == (margin > 0)


def test_without_noise_or_shift_the_moons_are_two_half_circles():
    x, y = two_moons(100, noise=0, margin=None)
    for target, centre in ((1, (-0.25, -0.5)), (0, (0.25, 0.5))):
        radius = (x[y == target] - torch.tensor(centre)).norm(dim=1)
        torch.testing.assert_close(radius, torch.ones(50))


def test_moons_are_the_seeds():
    assert torch.equal(two_moons(seed=3)[0], two_moons(seed=3)[0])
    assert not torch.equal(two_moons(seed=3)[0], two_moons(seed=4)[0])


@pytest.mark.parametrize("arm", [*ARMS.values(), Arm(weight_decay=0.1, lam=0.5)])
def test_training_is_autograd_and_torch_sgd(moons, arm):
    x, y = moons
    run = train(arm, x, y, seeds=[3], epochs=25, record_every=10, hidden=HIDDEN)
    model, logits = network(3, HIDDEN).double(), []
    optimiser = torch.optim.SGD(model.parameters(), 0.01, 0.9, weight_decay=arm.weight_decay)
    criterion = SpectralDecouplingLoss(arm.lam)
    for _ in range(25):
        logits.append(model(x).detach())
        optimiser.zero_grad()
        criterion(model(x), y).backward()
        optimiser.step()
    logits.append(model(x).detach())
    assert run.epochs == [0, 10, 20, 25]
    torch.testing.assert_close(run.logits[0], torch.stack([logits[e] for e in run.epochs]))
    torch.testing.assert_close(run.predict(x)[0], logits[-1])
    for mine, theirs in zip(run.networks[0].parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_seed_is_the_same_alone_and_in_company_and_leaves_the_global_state_alone(moons):
    x, y = moons
    state = torch.random.get_rng_state()
    both = train(ARMS["sd"], x, y, seeds=[0, 1], epochs=5, hidden=HIDDEN)
    assert torch.equal(torch.random.get_rng_state(), state)
    alone = train(ARMS["sd"], x, y, seeds=[1], epochs=5, hidden=HIDDEN)
    assert torch.equal(both.logits[1], alone.logits[0])
    assert not torch.equal(both.logits[0], both.logits[1])


def test_spectral_decoupling_keeps_the_curve_when_the_straight_line_is_taken_away():
    x, y = two_moons()
    together_x, together_y = two_moons(1000, margin=None, seed=1)
    accuracy = {}
    for name in ("cross_entropy", "sd"):
        run = train(ARMS[name], x, y, seeds=range(2), hidden=200)
        assert ((run.predict(x) > 0) == (y == 1)).all()
        accuracy[name] = np.mean(((run.predict(together_x) > 0) == (together_y == 1)).numpy())
    assert accuracy["sd"] > accuracy["cross_entropy"] + 0.03


def test_bad_moons_and_trainings_are_refused(moons):
    with pytest.raises(ConfigError, match="at least 4"):
        two_moons(2)
    with pytest.raises(ConfigError, match="noise"):
        two_moons(noise=-1)
    for bad in ({"seeds": []}, {"epochs": -1}, {"record_every": 0}):
        with pytest.raises(ConfigError, match="at least one seed"):
            train(ARMS["sd"], *moons, hidden=HIDDEN, **bad)
    with pytest.raises(ConfigError, match="lam"):
        train(Arm(lam=-1), *moons, hidden=HIDDEN)
