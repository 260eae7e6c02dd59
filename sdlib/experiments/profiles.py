"""Profiles: the scales at which everything can be run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

__all__ = ["PROFILES", "Profile", "scale_options"]


@dataclass(frozen=True)
class Profile:
    """The scale of an experiment; one entry of the table in chapter 12.

    Parameters
    ----------
    name, network : str
        Used in commands; of :data:`sdlib.models.NETWORKS`.
    size : int
        Side of the tiles in pixels.
    tiles : int
        Phantom tiles drawn before the split by patient; of real sources at most so many are used.
    epochs, batch_size, learning_rate, augment, falling, kept
        As in :class:`sdlib.training.loop.Schedule`.
    seeds : int
        Networks per arm.
    trials : int
        Budget of each Bayesian search.
    networks : int
        Networks that each trial of a search trains, from initialisations of their own; their mean
        score is the trial's.
    dropout, drop_path : float
        Shares of features and of residual branches that are dropped in training.
    pretrained : bool
        Whether networks begin with weights from ImageNet.
    head : str
        How the last layer begins, of :data:`sdlib.models.HEADS`.
    precision : str
        Of training on a GPU, as lightning-fabric names it.
    workers : int
        Processes that prepare batches.
    memory_mb, minutes : int
        What a run is declared to need on a cluster.
    gpu : bool
        Whether a run is declared to need a GPU there.
    runs_per_job : int
        Runs that one process makes. Importing torch takes longer than a run at ``quick``; long
        runs are worth a job each: more of them can be spread over a cluster, or be lost alone.
    """

    name: str
    network: str
    size: int
    tiles: int
    epochs: int
    batch_size: int
    learning_rate: float
    seeds: int
    trials: int
    augment: str = "dihedral"
    dropout: float = 0.0
    drop_path: float = 0.0
    precision: str = "32-true"
    workers: int = 0
    memory_mb: int = 3000
    minutes: int = 10
    gpu: bool = False
    runs_per_job: int = 1
    pretrained: bool = False
    falling: str = "cosine"
    kept: str = "last"
    networks: int = 1
    head: str = "timm"


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "smoke",
            network="test_efficientnet",
            size=32,
            tiles=160,
            epochs=1,
            batch_size=16,
            learning_rate=0.2,
            seeds=1,
            trials=2,
            runs_per_job=8,
        ),
        # The whole book takes less than ten minutes on two cores: with 1,500 tiles it took twelve.
        Profile(
            "quick",
            network="test_efficientnet",
            size=64,
            tiles=1000,
            epochs=5,
            batch_size=32,
            learning_rate=0.4,
            seeds=2,
            trials=4,
            runs_per_job=8,
        ),
        Profile(
            "laptop",
            network="test_resnet",
            size=64,
            tiles=8000,
            epochs=6,
            batch_size=32,
            learning_rate=0.4,
            seeds=5,
            trials=20,
            runs_per_job=4,
        ),
        # The laptop's network and rate, five times as many steps on two and a half times the tiles.
        Profile(
            "long",
            network="test_resnet",
            size=64,
            tiles=20_000,
            epochs=12,
            batch_size=32,
            learning_rate=0.4,
            seeds=5,
            trials=20,
            minutes=30,
            runs_per_job=2,
        ),
        # The paper's network at the paper's size, on as many images as minutes on a GPU allow.
        Profile(
            "gpu",
            network="efficientnet_b0",
            size=224,
            tiles=10_000,
            epochs=15,
            batch_size=64,
            learning_rate=0.4,
            seeds=3,
            trials=20,
            dropout=0.2,
            drop_path=0.2,
            head="small",  # from timm's own, Equation 2 diverged in the first epoch
            precision="16-mixed",
            workers=4,
            memory_mb=12_000,
            minutes=20,
            gpu=True,
        ),
        Profile(
            "paper",
            network="efficientnet_b0",
            size=224,
            tiles=286_000,
            epochs=90,
            batch_size=512,
            learning_rate=0.005,
            seeds=5,
            trials=40,
            augment="crop_flip",
            dropout=0.2,
            drop_path=0.2,
            precision="16-mixed",
            workers=12,
            memory_mb=64_000,
            minutes=24 * 60,
            gpu=True,
        ),
    )
}


def scale_options(profile: str, source: str) -> str:
    """The options that name a profile and a source, as a shell reads them.

    Parameters
    ----------
    profile, source : str
        As in :mod:`sdlib.experiments`.

    Examples
    --------
    >>> print(scale_options("quick", "folder:/data/my slides"))
    --profile quick --source 'folder:/data/my slides'
    """
    return f"--profile {shlex.quote(profile)} --source {shlex.quote(source)}"
