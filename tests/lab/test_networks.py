"""What the lab finds on a machine: tiles, networks, curves, and the small file of networks."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sdlib.errors import ConfigError, DataError
from sdlib.experiments import PROFILES, Run
from sdlib.lab import networks as lab_networks, sources
from sdlib.lab.networks import LabNetworks, load_lab_networks, save_lab_networks
from sdlib.lab.sources import find_curves, find_networks, lab_films, lab_tiles
from sdlib.models import create_network, save_weights
from sdlib.phantoms import draw_tiles
from sdlib.results import place as places
from sdlib.results.sweeps import Sweep
from sdlib.training.data import load_tiles


@pytest.fixture
def trained(outputs, tmp_path, monkeypatch, row_of):
    """`trained(run)`: the run's files as training leaves them; nothing is recorded."""
    monkeypatch.setenv("SDLIB_RECORDED", str(tmp_path))

    def make(run, **row):
        network = create_network(PROFILES[run.profile].network, seed=run.seed)
        with torch.no_grad():
            network.get_classifier().weight.mul_(20)  # untrained ones all say .5
        save_weights(network, run.folder / "model.safetensors")
        values = row_of(run, test__accuracy=0.5) | {"finished": "now"} | row
        run.row_file.write_text(json.dumps(values))
        return network

    return make


def run_of(arm="weight_decay_none", seed=0, profile="smoke"):
    return Run("robustness", arm, seed, profile, "phantom")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


# -- Tiles


def test_tiles_are_the_first_of_the_test_part(smoke):
    shown, test = lab_tiles(32, each=3), load_tiles(run_of())["test"]
    assert shown.targets.tolist() == [0] * 3 + [1] * 3
    assert set(shown.groups) <= set(test.groups)
    everywhere = {image.tobytes() for image in test.images}
    # The test part is balanced by leaving some out: those are unseen, too.
    assert sum(image.tobytes() in everywhere for image in shown.images) >= 4
    assert len({image.tobytes() for image in shown.images}) == 6


@pytest.mark.parametrize("drawn", [lab_tiles, lab_films])
def test_more_images_than_there_are_is_an_error_that_says_how_many(smoke, drawn):
    with pytest.raises(
        ConfigError, match=r"expected images of either class from 1 to (\d+)"
    ) as said:
        drawn(32, each=60)
    most = int(re.search(r"to (\d+)", str(said.value))[1])
    shown = drawn(32, each=most)
    assert shown.targets.tolist() == [0] * most + [1] * most


def test_the_test_patients_of_the_smallest_profile_are_those_of_all(smoke):
    """Profiles differ in the number of tiles alone; with 60, every patient has some."""
    fewest = min(profile.tiles for profile in PROFILES.values())
    patients = {tile.patient for tile in draw_tiles(fewest, 0)}
    assert len(patients) == 30
    training = load_tiles(run_of())["train"].groups
    assert not set(lab_tiles(32).groups) & set(training)


# -- Networks of this machine


def test_the_largest_profile_of_this_machine_comes_first(trained, image):
    assert find_networks().networks == {}
    trained(run_of(profile="quick"))
    found = find_networks()
    assert (found.profile, found.size, found.origin) == ("quick", 64, "this run")
    network = trained(run_of("sd_eq1_blur", 1, profile="laptop"))
    found = find_networks()
    assert (found.profile, list(found.networks)) == ("laptop", [("sd_eq1_blur", 1)])
    tile = np.repeat(np.repeat(image, 2, 0), 2, 1)
    expected = LabNetworks({"the same": network}, 64).probabilities(tile)
    assert list(found.probabilities(tile).values()) == list(expected.values())
    assert "1 networks of 1 arms, trained on this machine: profile laptop" in found.sentence


def test_the_first_seeds_of_each_arm_are_shown_arms_in_order(trained):
    for arm in ("sd_eq1_uniform", "weight_decay_none"):
        for seed in range(sources.SEEDS_SHOWN + 1):
            trained(run_of(arm, seed, "laptop"))
    arms = ("weight_decay_none", "sd_eq1_uniform")
    expected = [(arm, seed) for arm in arms for seed in range(sources.SEEDS_SHOWN)]
    assert list(find_networks().networks) == expected


def test_stale_networks_are_not_shown(trained):
    trained(run_of(), config_hash="of another day")
    assert find_networks().networks == {}


def test_broken_weights_say_so(trained):
    trained(run_of())
    (run_of().folder / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(DataError, match="not a whole safetensors file"):
        find_networks()


# -- Curves


def test_curves_are_of_the_networks_own_profile_then_recorded(trained, monkeypatch):
    asked = []
    logits = np.array([[1.0, -1.0], [1.0, 1.0]])

    def read_sweep(key):
        asked.append((key.profile, key.origin))
        found = {("sd_eq1_none", 0): logits} if asked[-1] == ("laptop", "recorded") else {}
        levels = ("clean", "blur-05") if found else ()
        return Sweep(levels, np.array([1, 0]), np.arange(2), found)

    monkeypatch.setattr(places, "read_sweep", read_sweep)
    row = {"experiment": "robustness", "arm": "sd_eq1_none", "seed": 0, "stale": False}
    monkeypatch.setattr(places, "row_table", lambda key: pd.DataFrame([row]))
    networks = {("sd_eq1_none", 0): create_network("test_efficientnet")}
    assert find_curves(LabNetworks(networks)).at("blur", 5)["sd_eq1_none"][0] == 0.5
    assert asked == [("laptop", "recorded")]
    found = find_curves(LabNetworks(networks, 32, "quick", "this run"))
    assert "recorded, profile laptop" in found.sentence
    assert asked[1:] == [("quick", "this run"), ("quick", "recorded"), ("laptop", "recorded")]


def test_without_a_sweep_the_curves_say_how_to_make_one(trained):
    found = find_curves(LabNetworks())
    assert not found
    assert "make reproduce" in found.html("blur", 1)


# -- The file


@pytest.fixture
def stored(trained, tmp_path):
    """Three trained runs in one file: their networks, the file, its size."""
    runs = [run_of("sd_eq1_uniform", 1), run_of("weight_decay_none"), run_of("sd_eq1_uniform")]
    networks = {(run.arm, run.seed): trained(run) for run in runs}
    path = tmp_path / "lab-networks.safetensors"
    return networks, path, save_lab_networks(runs, path)


def test_a_file_of_networks_gives_nearly_the_same_answers(stored, image):
    networks, path, size = stored
    found = load_lab_networks(path)
    assert [*found.networks] == [
        ("weight_decay_none", 0),
        ("sd_eq1_uniform", 0),
        ("sd_eq1_uniform", 1),
    ]
    assert (found.size, found.profile, found.origin) == (32, "smoke", "recorded")
    exact = LabNetworks(networks, 32).probabilities(image)
    for key, value in found.probabilities(image).items():
        assert value == pytest.approx(exact[key], abs=0.005)
    assert len({round(value, 3) for value in exact.values()}) == 2  # by seed, not all alike
    parameters = sum(p.numel() for network in networks.values() for p in network.parameters())
    assert size == path.stat().st_size < 3 * parameters


def test_only_kernels_lose_digits(stored):
    networks, path, _ = stored
    tensors = load_file(path)
    for name, tensor in networks["sd_eq1_uniform", 1].state_dict().items():
        kept = tensors[f"sd_eq1_uniform/seed1/{name}"]
        if tensor.ndim > 1:
            assert kept.dtype == torch.float16
            assert torch.allclose(kept.float(), tensor, rtol=1e-3, atol=1e-7)
        else:
            assert torch.equal(kept, tensor)


def test_recorded_networks_are_shown_where_there_are_no_own(stored, monkeypatch, tmp_path):
    assert find_networks().origin == "this run"
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "a new machine"))
    found = find_networks()
    assert (found.origin, len(found.networks)) == ("recorded", 3)
    assert "recorded: profile smoke" in found.sentence


def test_too_many_networks_are_refused(trained, tmp_path, monkeypatch):
    trained(run_of())
    monkeypatch.setattr(lab_networks, "MOST_BYTES", 100_000)
    with pytest.raises(ConfigError, match=r"at most 0 MB, got 0\.2 MB of 1 networks: choose fewer"):
        save_lab_networks([run_of()], tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_runs_must_be_of_one_profile_and_trained(trained, tmp_path):
    with pytest.raises(ConfigError, match="one experiment at one profile, got 2"):
        save_lab_networks([run_of(), run_of(profile="quick")], tmp_path / "a")
    with pytest.raises(ConfigError, match="got 0"):
        save_lab_networks([], tmp_path / "a")
    with pytest.raises(DataError, match="no weights of robustness/weight_decay_none/seed0"):
        save_lab_networks([run_of()], tmp_path / "a")


def refusal_of(path):
    """The one sentence in which a file is refused."""
    with pytest.raises(DataError, match="does not hold networks of the lab: ") as refusal:
        load_lab_networks(path)
    sentence = str(refusal.value)
    assert "\n" not in sentence
    assert sentence.endswith("; restore the file from git, or remove it and the lab goes without")
    return sentence.partition("the lab: ")[2]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"<html>404: not found</html>", "cut or not a safetensors file"),
        (b"{}", "cut or not a safetensors file"),
        (bytes(8), "cut or not a safetensors file"),
    ],
)
def test_files_that_are_no_safetensors_are_refused_in_a_sentence(tmp_path, content, reason):
    path = tmp_path / "lab-networks.safetensors"
    path.write_bytes(content)
    assert reason in refusal_of(path)


def test_a_cut_file_is_refused_wherever_it_is_cut(stored):
    _, path, size = stored
    whole = path.read_bytes()
    for length in (1, 7, 9, 100, size // 2, size - 1):
        path.write_bytes(whole[:length])
        assert "it is cut or not a safetensors file" in refusal_of(path)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    assert "Is a directory" in refusal_of(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"size": "big"}, "expected a side of tiles in px from 16 to 1024"),
        ({"size": "64.5"}, "expected a side of tiles in px from 16 to 1024"),
        ({"size": "-5"}, "expected a side of tiles in px from 16 to 1024"),
        ({"size": "9" * 5000}, "expected a side of tiles in px from 16 to 1024"),
        ({"size": "1000000000"}, "expected a side of tiles in px from 16 to 1024"),
        ({"profile": "7"}, "unknown profile '7'; expected one of"),
        ({"profile": "<img src=x onerror=alert(1)>"}, "unknown profile '<img src=x"),
        ({"source": "moon"}, "unknown source 'moon'"),
        ({"experiment": "cutout"}, "unknown arm of cutout"),
        ({"network": "test_resnet"}, "are not a test_resnet's"),
        ({"network": "hf-hub:someone/net"}, "unknown network 'hf-hub:someone/net'"),
        ({"network": None}, "found no network"),
    ],
)
def test_metadata_that_cannot_be_right_are_refused(stored, change, reason):
    _, path, _ = stored
    with safe_open(path, "pt") as whole:
        about = {**whole.metadata(), **change}
    save_file(load_file(path), path, {k: v for k, v in about.items() if v is not None})
    assert reason in refusal_of(path)


NAME = "weight_decay_none/seed0/conv_stem.weight"


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({NAME: lambda one: one * float("nan")}, "found NaN or infinity in conv_stem.weight"),
        ({NAME: lambda one: one / 0}, "found NaN or infinity in conv_stem.weight"),
        ({NAME: lambda one: one.to(torch.int32)}, "'conv_stem.weight' differs"),
        ({NAME: lambda one: one[:1].contiguous()}, "'conv_stem.weight' differs"),
        ({"stem": lambda _: torch.zeros(1)}, "expected tensors called arm/seedK/name, got 'stem'"),
        ({"sd_eq1_none/seedX/a": lambda _: torch.zeros(1)}, "expected tensors called"),
        ({"sd_eq1_none/seed1/": lambda _: torch.zeros(1)}, "expected tensors called"),
        ({"<b>/seed1/a": lambda _: torch.zeros(1)}, "unknown arm of robustness '<b>'"),
    ],
)
def test_tensors_that_make_no_network_are_refused(stored, tensors, reason):
    _, path, _ = stored
    with safe_open(path, "pt") as whole:
        about = whole.metadata()
    found = load_file(path)
    save_file({**found, **{k: f(found.get(k)) for k, f in tensors.items()}}, path, about)
    assert reason in refusal_of(path)


def test_a_file_without_tensors_is_refused(stored):
    _, path, _ = stored
    with safe_open(path, "pt") as whole:
        about = whole.metadata()
    save_file({}, path, about)
    assert "expected at least one network" in refusal_of(path)


@pytest.mark.parametrize("weight", [float("nan"), 1e5])
def test_weights_that_would_predict_nan_are_not_kept(trained, tmp_path, weight):
    """The largest number of half precision is 65,504."""
    network = trained(run_of())
    with torch.no_grad():
        network.get_classifier().weight[0, 0] = weight
    save_weights(network, run_of().folder / "model.safetensors")
    with pytest.raises(DataError, match=r"expected finite weights of robustness/.*half precision"):
        save_lab_networks([run_of()], tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_broken_weights_are_not_kept(trained, tmp_path):
    trained(run_of())
    (run_of().folder / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(DataError, match="not a whole safetensors file"):
        save_lab_networks([run_of()], tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_own_networks_that_would_predict_nan_say_so(trained):
    network = trained(run_of())
    with torch.no_grad():
        network.get_classifier().weight[0, 0] = float("nan")
    save_weights(network, run_of().folder / "model.safetensors")
    with pytest.raises(DataError, match="expected finite weights"):
        find_networks()


def test_files_that_hold_something_else_are_refused(stored, tmp_path):
    _, path, _ = stored
    with pytest.raises(DataError, match="no networks at"):
        load_lab_networks(tmp_path / "absent")
    (tmp_path / "half").write_bytes(path.read_bytes()[:5000])
    save_file({"weight": torch.zeros(2)}, tmp_path / "other")
    tensors = load_file(path)
    tensors.pop("weight_decay_none/seed0/classifier.weight")
    with safe_open(path, "pt") as whole:
        about = whole.metadata()
    save_file(tensors, tmp_path / "less", about)
    save_file(load_file(path), tmp_path / "unknown", about | {"experiment": "robust"})
    for name in ("half", "other", "less", "unknown"):
        with pytest.raises(DataError, match="does not hold networks of the lab"):
            load_lab_networks(tmp_path / name)
