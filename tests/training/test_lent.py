"""A run that tests the network of another experiment's run: nothing is trained, nothing differs."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from sdlib.experiments import EXPERIMENTS, PROFILES, Run
from sdlib.experiments.cohorts import Cohort
from sdlib.models import create_network, load_weights, save_weights
from sdlib.training import run as running
from sdlib.training.data import load_tiles
from sdlib.training.prediction import predict_logits
from tests.toy_experiments import TOYS

FILES = ["config.json", "model.safetensors", "predictions.npz", "row.json", "targets.npz"]
LENDER, RUN = (Run(name, "sd_eq1_none", 0, "smoke") for name in ("robustness", "prostate"))


def silent(line):
    pass


def never(*args, **kwargs):
    pytest.fail("trained again")


def logits_of(run):
    with np.load(run.folder / "predictions.npz") as stored:
        return dict(stored)


@pytest.fixture
def toys(smoke, monkeypatch):
    """The toy experiments are known; a run of the borrower and the run that lends to it."""
    for toy in TOYS:
        monkeypatch.setitem(EXPERIMENTS, toy.name, toy)
    return Run("toy_borrower", "firm", 0, "smoke"), Run("toy_shifts", "firm", 0, "smoke")


class TestLent:
    def test_the_prostate_experiment_tests_networks_of_robustness(self, smoke, monkeypatch):
        lent = running.execute(LENDER, log=silent)
        monkeypatch.setattr(running, "fit", never)
        lines = []
        row = running.execute(RUN, log=lines.append)
        assert lines == [
            "prostate/sd_eq1_none/seed0: tests the network of robustness/sd_eq1_none/seed0"
        ]
        assert row["network_of"] == LENDER.id
        assert row["config_hash"] == lent["config_hash"]
        assert row["history"] == json.loads(json.dumps(lent["history"]))
        own, theirs = logits_of(RUN), logits_of(LENDER)
        for cohort in ("validation", "test"):  # of both experiments
            np.testing.assert_array_equal(own[f"{cohort}.logits"], theirs[f"{cohort}.logits"])
            assert row["metrics"][cohort] == lent["metrics"][cohort]
        assert sorted(path.name for path in RUN.folder.iterdir()) == FILES
        # Every cohort has metrics; logits are kept of those that say so.
        evaluation = RUN.definition.evaluation
        assert set(row["metrics"]) == set(evaluation)
        kept = {f"{name}.logits" for name, one in evaluation.items() if not one.metrics_only}
        assert set(own) == kept
        network = load_weights(create_network("test_efficientnet"), RUN.folder / FILES[1])
        tiles = load_tiles(RUN, only=["external_normalised"])["external_normalised"]
        np.testing.assert_allclose(
            own["external_normalised.logits"], predict_logits(network, tiles), rtol=1e-4, atol=1e-5
        )
        accuracy = np.mean((own["external_normalised.logits"] >= 0) == (tiles.targets == 1))
        assert row["metrics"]["external_normalised"]["accuracy"] == pytest.approx(accuracy)
        # A row that is there is not made again.
        assert running.execute(RUN, log=never) == json.loads(json.dumps(row))

    def test_a_network_of_its_own_is_the_same_network(self, toys):
        borrower, lender = toys
        alone = running.execute(borrower, log=silent)
        assert "network_of" not in alone
        trained = logits_of(borrower)
        running.execute(lender, log=silent)
        row = running.execute(borrower, fresh=True, log=silent)
        assert row["network_of"] == lender.id
        assert row["metrics"] == alone["metrics"]
        for name, logits in logits_of(borrower).items():
            np.testing.assert_array_equal(logits, trained[name])

    def test_metrics_follow_where_logits_are_not_kept(self, toys):
        borrower, _ = toys
        row = running.execute(borrower, log=silent)
        assert "counted.logits" not in logits_of(borrower)
        network = load_weights(create_network("test_efficientnet"), borrower.folder / FILES[1])
        tiles = load_tiles(borrower, only=["counted"])["counted"]
        right = (predict_logits(network, tiles) >= 0) == (tiles.targets == 1)
        assert row["metrics"]["counted"]["accuracy"] == pytest.approx(right.mean())


class TestNotLent:
    """Whatever is not the very same network trains one of its own."""

    def own_row(self, run):
        row = running.execute(run, log=silent)
        assert "network_of" not in row
        assert row["history"]
        return row

    def test_no_row(self, toys):
        self.own_row(toys[0])

    def test_missing_weights(self, toys):
        borrower, lender = toys
        running.execute(lender, log=silent)
        (lender.folder / "model.safetensors").unlink()
        self.own_row(borrower)

    @pytest.mark.parametrize("damage", ["empty", "not finite", "another network"])
    def test_broken_weights_are_told_and_left_alone(self, toys, damage):
        borrower, lender = toys
        running.execute(lender, log=silent)
        file = lender.folder / "model.safetensors"
        if damage == "empty":
            file.write_bytes(b"")
        else:
            kind = "test_resnet" if damage == "another network" else "test_efficientnet"
            network = create_network(kind)
            if damage == "not finite":
                with torch.no_grad():
                    network.get_classifier().weight.fill_(float("nan"))
            save_weights(network, file)
        lines, broken = [], file.read_bytes()
        row = running.execute(borrower, log=lines.append)
        assert "network_of" not in row
        assert lines[0].startswith(f"{borrower.id}: trains a network of its own, for ")
        assert str(file) in lines[0]
        assert file.read_bytes() == broken
        assert sorted(path.name for path in borrower.folder.iterdir()) == FILES

    def test_another_configuration(self, toys, monkeypatch):
        borrower, lender = toys
        with pytest.MonkeyPatch.context() as patch:
            slower = dataclasses.replace(PROFILES["smoke"], learning_rate=0.1)
            patch.setitem(PROFILES, "smoke", slower)
            running.execute(lender, log=silent)
        self.own_row(borrower)

    def test_another_training_cohort(self, toys, monkeypatch):
        borrower, lender = toys
        elsewhere = Cohort(("train",), {"scanner": "flash3"})
        other = dataclasses.replace(EXPERIMENTS["toy_shifts"], training=elsewhere)
        monkeypatch.setitem(EXPERIMENTS, "toy_shifts", other)
        running.execute(lender, log=silent)
        self.own_row(borrower)

    def test_another_seed(self, toys):
        borrower, lender = toys
        running.execute(lender, log=silent)
        self.own_row(dataclasses.replace(borrower, seed=1))


class TestLender:
    def test_the_run_of_the_same_name(self):
        assert RUN.lender == LENDER
        assert LENDER.lender is None
        later = Run("prostate", "sd_eq1_uniform_tuned", 3, "long")
        assert later.lender == Run("robustness", "sd_eq1_uniform_tuned", 3, "long")

    def test_none_without_such_an_arm_or_on_a_source_of_its_own(self, monkeypatch):
        fewer = dataclasses.replace(EXPERIMENTS["robustness"], sources=("open",))
        monkeypatch.setitem(EXPERIMENTS, "robustness", fewer)
        assert RUN.lender is None
        monkeypatch.undo()
        arms = tuple(arm for arm in fewer.arms if arm.name != RUN.arm)
        without = dataclasses.replace(EXPERIMENTS["robustness"], arms=arms)
        monkeypatch.setitem(EXPERIMENTS, "robustness", without)
        assert RUN.lender is None
