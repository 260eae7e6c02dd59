"""The networks of the lab in the page: recorded, as ONNX, and what their page begins with."""

import base64
import json
import math
import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from sdlib.errors import ConfigError, DataError
from sdlib.lab.networks import LabNetworks
from sdlib.lab.onnx_files import write_onnx
from sdlib.lab.page import PRESETS, page_state
from sdlib.lab.page_networks import TASKS, accuracies, page_networks, with_squares
from sdlib.models import create_network
from sdlib.training.prediction import predict_logits

EACH_TASK = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


@EACH_TASK
def test_recorded_networks_are_those_of_the_arms(task):
    networks = page_networks(task.experiment)
    assert list(networks.networks) == [(arm, 0) for arm in task.arms]
    assert networks.size == task.runs[0].settings.size


@EACH_TASK
def test_accuracies_are_recorded_at_every_level_of_every_arm(task):
    table = accuracies(task.experiment)
    assert len(table) == (1 + len(task.levels)) * len(task.arms)
    assert table["accuracy"].between(0.3, 1).all()
    wanted = {(level.shift, level.strength) for level in task.levels}
    found = set(zip(table["shift"], table["strength"], strict=True))
    assert wanted <= found


def test_no_shift_is_measured_as_the_weakest_level_of_each_shift():
    table = accuracies("cutout")
    weakest = table[["shift", "strength"]].apply(tuple, axis=1).isin([("sharpen", 0), ("eosin", 1)])
    for arm in TASKS["cutout"].arms:
        own = table[(table["arm"] == arm) & (weakest | (table["shift"] == "none"))]
        assert len(own) == 3
        assert own["accuracy"].nunique() == 1


def test_an_arm_that_is_missing_is_named(monkeypatch):
    task = TASKS["cutout"]
    monkeypatch.setitem(TASKS, "cutout", replace(task, arms=(*task.arms, "sd_eq1_strong")))
    with pytest.raises(DataError, match=r"a network of sd_eq1_strong in .*found none"):
        page_networks("cutout")


@pytest.mark.parametrize("what", ["networks", "accuracies"])
def test_what_is_not_recorded_is_a_sentence(tmp_path, monkeypatch, what):
    monkeypatch.setenv("SDLIB_RECORDED", str(tmp_path))
    read = {"networks": page_networks, "accuracies": accuracies}[what]
    with pytest.raises(DataError, match=r"page-\w+"):
        read("cutout")


def test_onnx_keeps_kernels_in_half_precision_and_all_else_exactly(tmp_path):
    network = create_network("test_efficientnet", seed=3)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half().float())
    path = tmp_path / "one.onnx"
    assert write_onnx(LabNetworks({("sd", 0): network}, 32), path) == path.stat().st_size
    graph = onnx.load(path).graph
    assert [(one.name) for one in graph.input] == ["tile"]
    stored = [numpy_helper.to_array(one) for one in graph.initializer]
    kernels = [one for one in network.state_dict().values() if one.ndim > 1]
    halves = [one for one in stored if one.dtype == np.float16]
    assert len(halves) == len(kernels)
    sums = sorted(float(one.astype(np.float64).sum()) for one in halves)
    expected = sorted(float(one.double().sum()) for one in kernels)
    np.testing.assert_allclose(sums, expected, atol=1e-9)


def test_nothing_to_export_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least one network to export"):
        write_onnx(LabNetworks(), tmp_path / "none.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_live_lab_gets_the_networks_of_equation_2(toy_network):
    found = with_squares(LabNetworks({("sd_eq1_none", 0): toy_network()}, 64))
    assert [arm for arm, _ in found.networks] == ["sd_eq1_none", *TASKS["cutout"].arms]
    assert "of the squares' experiment" in found.sentence
    other = LabNetworks({("sd_eq1_none", 0): toy_network()}, 40)
    assert with_squares(other) is other
    assert with_squares(LabNetworks()).networks == {}


def test_the_page_begins_with_the_truth_and_recorded_predictions():
    state = page_state()
    assert json.loads(json.dumps(state, allow_nan=False)) is not None
    assert [tile["target"] for tile in state["tiles"]] == [0, 0, 1, 1, 0, 1]
    for preset in PRESETS.values():
        assert set(preset) - {"tile"} <= set(state)
    networks = page_networks("covid").networks.values()
    pixels = np.frombuffer(base64.b64decode(state["tiles"][5]["pixels"]), np.uint8)
    image = pixels.reshape(1, 96, 96, 3)
    expected = [predict_logits(network, image)[0] for network in networks]
    np.testing.assert_allclose(state["tiles"][5]["logits"], expected, rtol=1e-6)


def test_the_answer_orders_arms_by_how_far_their_probabilities_fall():
    """And its numbers are those that the networks give to the preset's tile."""
    from sdlib.lab.page import answer, page_state

    pairs = re.findall(r"goes from (\S+) to (\d\.\d\d)", answer())
    falls = [float(before) - float(after) for before, after in pairs]
    assert falls[:-1] == sorted(falls[:-1])
    assert len(falls) == 4
    state = page_state()
    tile = state["tiles"][int(state["presets"]["squares on cancer"]["tile"])]
    untouched = {round(1 / (1 + math.exp(-logit)), 2) for logit in tile["logits"]}
    assert {float(before) for before, _ in pairs} == untouched
