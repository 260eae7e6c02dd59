"""The scales at which everything can be run, and where images can come from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PROFILES", "SOURCES", "Profile"]

SOURCES = {
    "phantom": "procedural prostate tissue, made on the spot",
    "open": "PatchCamelyon tiles in the folder open-pcam under SDLIB_DATA",
    "pcam": "PatchCamelyon as published (HDF5), in the folder pcam under SDLIB_DATA",
}


@dataclass(frozen=True)
class Profile:
    """The scale of an experiment; one entry of the table in chapter 12.

    ``tiles`` is the number of phantom tiles drawn before the split by patient; real sources
    bring their own number, of which at most ``tiles`` are used. ``trials`` is the budget of each
    Bayesian search. Rates and units are those of :class:`sdlib.training.loop.Schedule`.
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


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("smoke", "test_efficientnet", 32, 160, 1, 16, 0.2, seeds=1, trials=2),
        Profile("quick", "test_efficientnet", 64, 1500, 5, 32, 0.4, seeds=2, trials=4),
        Profile("laptop", "test_resnet", 64, 8000, 6, 32, 0.4, seeds=5, trials=20),
        # The laptop's network and rate, five times as many steps on two and a half times the tiles.
        Profile("long", "test_resnet", 64, 20_000, 12, 32, 0.4, seeds=3, trials=20, minutes=30),
        Profile(
            "paper",
            "efficientnet_b0",
            224,
            286_000,
            90,
            512,
            0.005,
            seeds=5,
            trials=40,
            augment="crop_flip",
            dropout=0.2,
            drop_path=0.2,
            precision="16-mixed",
            workers=12,
            memory_mb=64_000,
            minutes=24 * 60,
        ),
    )
}
