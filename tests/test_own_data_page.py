"""Chapter 9's loop and snippets, taken from the page, against the library's own loop.

A snippet is a difference to a plain script: lines with ``+`` are new, lines with ``-`` are gone.
Both versions are executed: the plain one trains without a penalty, the other one with it.
"""

import contextlib
import re
import warnings

import nbformat
import numpy as np
import pytest
import timm
import torch
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR

from sdlib.datasets.tiles import TileSet
from sdlib.losses import SpectralDecouplingLoss, spectral_decoupling
from sdlib.models import create_network
from sdlib.paths import ROOT
from sdlib.training.loop import Batches, Schedule, fit
from sdlib.training.prediction import normalise, predict_logits

PAGE = ROOT / "book" / "4_practice" / "09_your_own_data.ipynb"
CELLS = {cell.id: cell.source for cell in nbformat.read(PAGE, as_version=4).cells}
SIZE, N, BATCH, RATE = 32, 24, 8, 0.004
NETWORK = "test_efficientnet"


@pytest.fixture(scope="module")
def tiles():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, SIZE, SIZE, 3), dtype=np.uint8)
    return TileSet(images, np.arange(N) % 2, np.arange(N).astype(str))


@pytest.fixture(scope="module")
def batches(tiles):
    """Of one epoch: float images, labels, as a script's own loader gives them."""
    found = Batches(tiles, Schedule(1, BATCH), epoch=0)
    return [(normalise(images), labels) for images, labels in found]


def versions(name):
    """A cell's snippet as two programs: before and after, and its new lines."""
    (snippet,) = re.findall(r"^```diff\n(.*?)^```", CELLS[name], re.S | re.M)
    lines = snippet.splitlines()
    assert all(line[:1] in ("", " ", "+", "-") for line in lines)
    before = [line[1:] for line in lines if line[:1] != "+"]
    after = [line[1:] for line in lines if line[:1] != "-"]
    new = [line[1:] for line in lines if line[:1] == "+"]
    return "\n".join(before), "\n".join(after), new


def run(program):
    """The names that a program defines."""
    names = {}
    exec(compile(program, "snippet", "exec"), names)
    return names


def weights(network):
    return torch.cat([value.flatten().double() for value in network.state_dict().values()])


def reference(network, batches, loss_of):
    """Stochastic gradient descent as it is written in any book."""
    sgd = torch.optim.SGD(network.parameters(), lr=RATE)
    network.train()
    for images, labels in batches:
        loss = loss_of(network(images), labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    return weights(network)


# -- The loop


@pytest.mark.parametrize("lam", [0.0, 0.1])
def test_the_loop_of_the_page_is_the_librarys(tiles, lam):
    schedule = Schedule(2, BATCH, RATE * 512 / BATCH)
    names = {
        "CosineAnnealingLR": CosineAnnealingLR,
        "F": F,
        "normalise": normalise,
        "batches": lambda epoch: Batches(tiles, schedule, epoch),
        "watch": lambda net: predict_logits(net, tiles),
    }
    exec(compile(CELLS["loop"], "loop", "exec"), names)
    page, library = create_network(NETWORK), create_network(NETWORK)
    options = {"momentum": 0.9, "nesterov": True}
    sgd = torch.optim.SGD(page.parameters(), RATE, **options)
    history = names["train"](page, sgd, lam, epochs=2)
    fit(library, SpectralDecouplingLoss(lam), tiles, None, schedule, log=len)
    torch.testing.assert_close(weights(page), weights(library), atol=1e-5, rtol=1e-4)
    assert len(history) == 2
    assert not np.array_equal(history[0], history[1])  # watched after every epoch


def test_the_loop_has_fifteen_lines_and_one_of_them_is_the_method():
    lines = CELLS["loop"].splitlines()
    assert len(lines) == 15
    (penalty,) = [line.strip() for line in lines if "lam /" in line]
    assert f"`{penalty}`" in CELLS["training-read"]


# -- Lightning


@pytest.fixture(scope="module")
def lightning():
    return versions("lightning")


def lightning_weights(program, batches):
    """The weights after one epoch of Lightning's trainer, and the margins that it logged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of workers, loggers and the like
        names = run(program)
        classifier = names["Classifier"](create_network(NETWORK))
        trainer = names["L"].Trainer(
            max_epochs=1,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(classifier, torch.utils.data.DataLoader(batches, batch_size=None))
    return weights(classifier.network), trainer.callback_metrics.get("margin")


def test_lightning_with_three_new_lines_trains_with_the_penalty(lightning, batches):
    _, after, new = lightning
    assert len(new) == 3
    found, margin = lightning_weights(after, batches)

    def loss_of(logits, labels):
        f = logits[:, 0]
        error = F.binary_cross_entropy_with_logits(f, labels)
        return error + 0.01 / 2 * f.square().mean()

    expected = reference(create_network(NETWORK), batches, loss_of)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert torch.isfinite(margin)


def test_lightning_without_them_trains_as_before(lightning, batches):
    before, _, _ = lightning
    found, _ = lightning_weights(before, batches)

    def loss_of(logits, labels):
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels)

    expected = reference(create_network(NETWORK), batches, loss_of)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


# -- timm


def two_logits():
    torch.manual_seed(0)
    return timm.create_model(NETWORK, num_classes=2)


def timm_weights(program, batches, autocast=contextlib.nullcontext):
    names = run(program)
    model = two_logits()
    task, optimiser = names["start"](model)
    loader = [(images, labels.long()) for images, labels in batches]
    names["train_one_epoch"](task, loader, optimiser, autocast)
    return weights(model)


def timm_reference(batches, lam):
    """timm's own SGD and cross-entropy, with the penalty written out."""
    model = two_logits()
    sgd = timm.optim.create_optimizer_v2(model, opt="sgd", lr=RATE)
    model.train()
    for images, labels in batches:
        logits = model(images)
        error = F.cross_entropy(logits, labels.long())
        loss = error + lam / 2 * (logits[:, 0].square() + logits[:, 1].square()).mean() / 2
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    return weights(model)


@pytest.mark.parametrize(("version", "lam"), [(0, 0.0), (1, 0.04)])
def test_timm_with_and_without_the_three_new_lines(batches, version, lam):
    snippet = versions("timm")
    assert len(snippet[2]) == 3
    found = timm_weights(snippet[version], batches)
    torch.testing.assert_close(found, timm_reference(batches, lam), atol=1e-6, rtol=1e-5)


def test_timm_under_autocast_takes_the_penalty_in_float32(batches, monkeypatch):
    """bfloat16 logits: a penalty in bfloat16 would have three digits."""
    seen = []

    def watched(logits, lam):
        penalty = spectral_decoupling(logits, lam)
        seen.append((logits.dtype, penalty.dtype))
        return penalty

    monkeypatch.setattr("sdlib.losses.spectral_decoupling", watched)
    found = timm_weights(
        versions("timm")[1], batches, lambda: torch.autocast("cpu", torch.bfloat16)
    )
    assert set(seen) == {(torch.bfloat16, torch.float32)}
    assert torch.isfinite(found).all()


# -- The table of cases


@pytest.mark.parametrize("lam", [0.01, 0.1])
def test_accumulated_gradients_are_those_of_the_whole_batch(lam):
    f = torch.randn(12, dtype=torch.float64, requires_grad=True)
    targets = torch.arange(12) % 2
    criterion = SpectralDecouplingLoss(lam)
    (whole,) = torch.autograd.grad(criterion(f, targets), f)
    parts = [
        criterion(logits, labels) / 3
        for logits, labels in zip(f.split(4), targets.split(4), strict=True)
    ]
    (accumulated,) = torch.autograd.grad(sum(parts), f)
    torch.testing.assert_close(accumulated, whole)


def test_the_largest_float16_that_has_a_square_is_255():
    squares = torch.tensor([255.0, 256.0], dtype=torch.float16).square()
    assert torch.isinf(squares).tolist() == [False, True]
