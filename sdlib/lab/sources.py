"""What this machine has for the shift lab: test tiles, trained networks, accuracy curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdlib.checks import check_number
from sdlib.datasets.tiles import TileSet
from sdlib.experiments import PROFILES, Run, experiment_of
from sdlib.lab.curves import Curves
from sdlib.lab.networks import LabNetworks, load_lab_networks, save_lab_networks
from sdlib.paths import recorded_folder
from sdlib.phantoms import HistologyTile, draw_tiles, render
from sdlib.phantoms.radiograph import Film, draw_films, render_film
from sdlib.results import RECORDED, THIS_RUN, Place
from sdlib.training.data import load_tiles

__all__ = [
    "ARMS_RECORDED",
    "ARMS_SHOWN",
    "find_curves",
    "find_networks",
    "lab_films",
    "lab_tiles",
    "record",
    "recorded_networks",
]

Drawn = HistologyTile | Film

EXPERIMENT, SOURCE = "robustness", "phantom"
LOOKED_FOR = ("laptop", "quick", "smoke")
#: Weight decay and spectral decoupling under three augmentations; nothing tuned.
ARMS_SHOWN = (
    *("weight_decay_none", "sd_eq1_none"),
    *("weight_decay_uniform", "sd_eq1_uniform"),
    *("weight_decay_blur", "sd_eq1_blur"),
)
SEEDS_SHOWN = 3  # of six arms: as many networks as two cores can run while a slider moves
ARMS_RECORDED = ("weight_decay_none", "weight_decay_uniform", "sd_eq1_uniform")
SEEDS_RECORDED = 2  # more would weigh over 5 MB
TILES_EACH = 4
FILMS_DRAWN = 100  # enough to hold some of either class


def lab_tiles(size: int = 64, each: int = TILES_EACH) -> TileSet:
    """Phantom tiles of test patients, benign ones first.

    They are the first of either class in the test part of every profile: no network of the
    experiment has been trained on them or on their patients.

    Parameters
    ----------
    size : int
        Side in pixels.
    each : int
        Of either class.

    Returns
    -------
    TileSet
        ``2 * each`` tiles.

    Raises
    ------
    ConfigError
        There are not so many of either class.
    """
    run = Run(EXPERIMENT, experiment_of(EXPERIMENT).arms[0].name, 0, "smoke", SOURCE)
    # All profiles deal the same patients, and draw the same tiles one after another.
    patients = set(load_tiles(run)["test"].groups)
    drawn = draw_tiles(PROFILES["smoke"].tiles, run.definition.data_seed)
    unseen = [tile for tile in drawn if tile.patient in patients]
    chosen = _first_of_each(unseen, each)
    return _as_tiles(chosen, [render(tile, size) for tile in chosen])


def lab_films(size: int, each: int = 1) -> TileSet:
    """Phantom films of hospital c, of which no network has seen any, negative ones first.

    Parameters
    ----------
    size : int
        Side in pixels.
    each : int
        Of either class.

    Returns
    -------
    TileSet
        ``2 * each`` films, their grey levels in all three channels.

    Raises
    ------
    ConfigError
        There are not so many of either class.

    Examples
    --------
    >>> lab_films(32).targets.tolist()
    [0, 1]
    """
    chosen = _first_of_each(draw_films(FILMS_DRAWN, 0, "c"), each)
    grey = [render_film(film, size) for film in chosen]
    return _as_tiles(chosen, [np.repeat(film[..., None], 3, axis=2) for film in grey])


def _first_of_each(drawn: Sequence[Drawn], each: int) -> list[Drawn]:
    """The first of either class, class 0 before class 1."""
    classes = [[one for one in drawn if one.target == target] for target in (0, 1)]
    check_number("images of either class", each, 1, min(map(len, classes)), whole=True)
    return [one for found in classes for one in found[:each]]


def _as_tiles(drawn: Sequence[Drawn], images: Sequence[np.ndarray]) -> TileSet:
    targets = np.array([one.target for one in drawn])
    return TileSet(np.stack(images), targets, np.array([one.patient for one in drawn]))


def recorded_networks() -> Path:
    """Where recorded networks lie, if there are any."""
    return recorded_folder() / "lab-networks.safetensors"


def record(profile: str) -> int:
    """Keep this machine's networks of :data:`ARMS_RECORDED` for the lab; returns the bytes.

    Raises
    ------
    DataError
        One of them has not been trained.
    """
    runs = [
        Run(EXPERIMENT, arm, seed, profile, SOURCE)
        for arm in ARMS_RECORDED
        for seed in range(SEEDS_RECORDED)
    ]
    return save_lab_networks(runs, recorded_networks())


def _own(profile: str) -> LabNetworks:
    """This machine's networks whose rows are not stale."""
    place = Place(EXPERIMENT, profile, SOURCE, THIS_RUN)
    size = place.definition.settings(profile, SOURCE).size
    if not place.arms:
        return LabNetworks({}, size, profile, THIS_RUN)
    from sdlib.models import create_network, load_weights  # timm takes seconds to import

    networks = {}
    valid = set(zip(place.rows["arm"], place.rows["seed"], strict=True))
    for arm, seed in ((arm, seed) for arm in ARMS_SHOWN for seed in range(SEEDS_SHOWN)):
        if (arm, seed) in valid:
            run = Run(EXPERIMENT, arm, seed, profile, SOURCE)
            untrained = create_network(run.settings.network)
            networks[arm, seed] = load_weights(untrained, run.folder / "model.safetensors")
    return LabNetworks(networks, size, profile, THIS_RUN)


def find_networks() -> LabNetworks:
    """This machine's networks (profile laptop, else quick, else smoke), else recorded ones.

    This machine's are the first :data:`SEEDS_SHOWN` of each of :data:`ARMS_SHOWN`.

    Raises
    ------
    DataError
        A file of weights is absent or broken, or its weights are not finite.
    """
    for profile in LOOKED_FOR:
        own = _own(profile)
        if own.networks:
            return own
    if recorded_networks().exists():
        return load_lab_networks(recorded_networks())
    return LabNetworks()


def find_curves(networks: LabNetworks) -> Curves:
    """Accuracy curves of the networks' own profile where there are any, else recorded ones."""
    places = [(networks.profile, networks.origin), (networks.profile, RECORDED)]
    for profile, origin in dict.fromkeys([*places, ("laptop", RECORDED)]):
        table = Place(EXPERIMENT, profile, SOURCE, origin).sweep.accuracy()
        if len(table):
            where = "recorded" if origin == RECORDED else "this machine"
            sentence = f"Balanced accuracy, mean and SD over seeds; {where}, profile {profile}."
            return Curves(table, networks.arms or ARMS_SHOWN, sentence)
    missing = "No accuracies under shift are recorded or made here: make reproduce makes them."
    return Curves.without(missing)
