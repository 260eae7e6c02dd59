"""The network that finds lungs: ``python -m sdlib.training.lungs`` trains and measures it.

It is trained on the masks of V7 Labs and on phantom films. Three networks tell what each part is
worth: trained on real films alone, on phantoms alone, and on both. All are measured on real films
of patients that none has seen. The weights of the last are kept in the cache; the Dice
coefficients are written to ``outputs/lungs.json``, and with ``--record`` to the recorded results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import torch
import typer

from sdlib.datasets.phantom_lungs import phantom_lungs
from sdlib.datasets.splits import grouped_split
from sdlib.datasets.v7_lungs import LungMasks, load_v7_lungs
from sdlib.errors import run_command_line
from sdlib.files import write_json
from sdlib.films.lungs import LUNG_SIZE, lung_weights_file
from sdlib.models import save_weights
from sdlib.results.lungs import lungs_file, lungs_table, record_lungs
from sdlib.results.rows import circumstances
from sdlib.training.lock import only_process
from sdlib.training.lung_network import dice_of, train_lung_network

__all__ = ["ensure_lungs", "held_out", "make_lungs", "make_weights"]

STEPS = 400
PHANTOMS = 600  # films of all hospitals
SHARES = {"train": 0.7, "held out": 0.3}
SEED = 0
TRUE_SIZE = 256  # px: the films' own, at which found and true lungs are compared


def held_out(lungs: LungMasks, seed: int = SEED) -> dict[str, np.ndarray]:
    """Deal films into those to train on and those held out, by group and stratified by source.

    Parameters
    ----------
    lungs : LungMasks
        The films.
    seed : int
        Of the deal.

    Returns
    -------
    dict of str to numpy.ndarray
        ``train`` and ``held out``: numbers of films.
    """
    return grouped_split(lungs.sources, lungs.groups, SHARES, seed)


def make_lungs(
    steps: int = STEPS,
    phantoms: int = PHANTOMS,
    seed: int = SEED,
    log: Callable[[str], object] = print,
) -> dict[str, Any]:
    """Train networks that find lungs, keep the weights of one, and write how well they do.

    Parameters
    ----------
    steps : int
        Batches that each network is trained on.
    phantoms : int
        Phantom films to train on; with 0 there is only the network of real films.
    seed : int
        Of the deal, the phantoms and the networks.
    log : callable
        Called with a line of text now and then.

    Returns
    -------
    dict
        What was measured; :mod:`sdlib.results.lungs` has its form.

    Raises
    ------
    DataError
        If films or masks are not at hand.
    SdlibError
        If weights or measurement cannot be written.
    """
    start = time.perf_counter()
    real = load_v7_lungs(LUNG_SIZE)
    true = load_v7_lungs(TRUE_SIZE).masks
    parts = held_out(real, seed)
    trained = _training_sets(real.subset(parts["train"]), phantoms, seed)
    test = parts["held out"]
    networks, coefficients = {}, {}
    for name, sets in trained.items():
        log(f"trained on {name} films: {', '.join(str(len(one)) for one in sets)}")
        networks[name] = train_lung_network(sets, steps, seed, log)
        found = dice_of(networks[name], real.films[test], true[test])
        coefficients[name] = [round(float(value), 4) for value in found]
    used = list(networks)[-1]
    lungs = {
        "networks": coefficients,
        "used": used,
        "sources": real.sources[test].tolist(),
        "groups": real.groups[test].tolist(),
        "trained": {"real": len(parts["train"]), "phantom": phantoms},
        "steps": steps,
        "seed": seed,
        "seconds": round(time.perf_counter() - start, 1),
        **circumstances(torch.device("cpu")),
    }
    save_weights(networks[used], lung_weights_file())
    write_json(lungs_file(recorded=False), lungs)
    return lungs


def _training_sets(real: LungMasks, phantoms: int, seed: int) -> dict[str, list[LungMasks]]:
    """What each network is trained on, by its name; the last is the one that is used."""
    if not phantoms:
        return {"real": [real]}
    drawn = phantom_lungs(phantoms, LUNG_SIZE, seed)
    return {"real": [real], "phantom": [drawn], "both": [real, drawn]}


def make_weights(log: Callable[[str], object] = print) -> None:
    """Train the network that finds lungs, and measure nothing.

    It is the one of :func:`make_lungs` that is used.

    Parameters
    ----------
    log : callable
        Called with a line of text now and then.

    Raises
    ------
    DataError, SdlibError
        As for :func:`make_lungs`.
    """
    real = load_v7_lungs(LUNG_SIZE)
    *_, used = _training_sets(real.subset(held_out(real)["train"]), PHANTOMS, SEED).values()
    save_weights(train_lung_network(used, STEPS, SEED, log), lung_weights_file())


def ensure_lungs(log: Callable[[str], object] = print) -> None:
    """Train the network that finds lungs, if this machine has none.

    Of several processes one trains, and the others wait for it.

    Parameters
    ----------
    log : callable
        Called with a line of text now and then.

    Raises
    ------
    DataError, SdlibError
        As for :func:`make_lungs`.
    """
    file = lung_weights_file()
    if file.exists():
        return
    with only_process(file.with_suffix(".lock"), "the network that finds lungs", wait=True):
        if not file.exists():
            make_weights(log)


def main(
    record: Annotated[bool, typer.Option("--record", help="copy it to data/results")] = False,
) -> None:
    """Train and measure the network that finds lungs, in minutes."""
    lungs = make_lungs(log=lambda line: print(line, file=sys.stderr, flush=True))
    print(lungs_table(lungs).round(3).to_string(index=False))
    if record:
        print(record_lungs())


if __name__ == "__main__":
    run_command_line(lambda: typer.run(main))
