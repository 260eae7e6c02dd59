"""The arms that are compared: loss, weight decay, training set and augmentation of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "CUTOUT",
    "CUTOUT_MAIN",
    "GAMMA_STEP",
    "LAM_STEP",
    "ROBUSTNESS",
    "ROBUSTNESS_MAIN",
    "SENSITIVITY",
    "Arm",
]

PAPER_WEIGHT_DECAY = 1e-4  # networks without spectral decoupling only
PAPER_EQ1 = 0.01
PAPER_EQ2_LAM = (0.0969, 0.000698)  # (benign, cancer), section 3.1
PAPER_EQ2_GAMMA = (1.83, 2.61)


@dataclass(frozen=True)
class Arm:
    """One way of training.

    Parameters
    ----------
    name, label : str
        In run ids; in figures.
    lam, gamma : float or pair of float, optional
        Of Eq. 1 (a number) or Eq. 2 (pairs: benign, cancer); None without spectral decoupling.
    weight_decay : float
        The optimiser's.
    train_set : str
        ``train`` (25 % of benign, 2.5 % of cancer tiles with cutouts), ``control`` (all) or
        ``none``.
    search : str, optional
        The search whose best trial replaces the values above.
    shift : tuple, optional
        ``(factor on lam, step added to gamma)``, each a pair (benign, cancer), applied after the
        search: a neighbour of the tuned point.
    augment : str
        Of :data:`sdlib.augment.AUGMENTATIONS`, after the profile's own: ``uniform`` for instance.
    """

    name: str
    label: str
    lam: float | tuple[float, float] | None = None
    gamma: tuple[float, float] | None = None
    weight_decay: float = 0.0
    train_set: str = "train"
    search: str | None = None
    shift: tuple[tuple[float, float], tuple[float, float]] | None = None
    augment: str = ""

    def tuned(self, values: Mapping[str, float]) -> Arm:
        """This arm with a search's values (and then the shift) in place.

        >>> Arm("a", "A", search="sd_eq1").tuned({"lam": 0.1}).lam
        0.1
        """
        if "weight_decay" in values:
            return dataclasses.replace(self, weight_decay=values["weight_decay"])
        if "lam" in values:
            return dataclasses.replace(self, lam=values["lam"])
        factor, step = self.shift or ((1.0, 1.0), (0.0, 0.0))
        lam = (values["lam_neg"] * factor[0], values["lam_pos"] * factor[1])
        gamma = (values["gamma_neg"] + step[0], values["gamma_pos"] + step[1])
        return dataclasses.replace(self, lam=lam, gamma=gamma, shift=None)


CUTOUT = (
    Arm("weight_decay", "weight decay", weight_decay=PAPER_WEIGHT_DECAY),
    Arm("weight_decay_tuned", "weight decay, validation-tuned", search="weight_decay"),
    Arm(
        "weight_decay_test_tuned",
        "weight decay, tuned on the test split",
        search="weight_decay_test",
    ),
    Arm("sd_eq1", "SD Eq. 1, paper's λ", lam=PAPER_EQ1),
    Arm("sd_eq1_tuned", "SD Eq. 1, validation-tuned", search="sd_eq1"),
    Arm("sd_eq2", "SD Eq. 2, paper's values", lam=PAPER_EQ2_LAM, gamma=PAPER_EQ2_GAMMA),
    Arm("sd_eq2_tuned", "SD Eq. 2, validation-tuned", search="sd_eq2"),
    Arm("sd_eq2_test_tuned", "SD Eq. 2, tuned on the test split", search="sd_eq2_test"),
    Arm(
        "control",
        "control + weight decay",
        weight_decay=PAPER_WEIGHT_DECAY,
        train_set="control",
    ),
)

#: The paper's arms as it gives them, nothing tuned.
CUTOUT_MAIN = tuple(arm for arm in CUTOUT if not arm.search)

LAM_STEP = 3.0  # factor between neighbours in lambda
GAMMA_STEP = 0.5  # logits between neighbours in gamma


def _neighbours() -> tuple[Arm, ...]:
    """Two 3 x 3 maps around the tuned point, without their common centre."""
    arms = []
    for neg in (-1, 0, 1):
        for pos in (-1, 0, 1):
            if neg == pos == 0:
                continue
            factors = (LAM_STEP**neg, LAM_STEP**pos)
            steps = (GAMMA_STEP * neg, GAMMA_STEP * pos)
            for kind, shift in (("lam", (factors, (0.0, 0.0))), ("gamma", ((1.0, 1.0), steps))):
                name = f"{kind}_{neg:+d}_{pos:+d}"
                label = f"{kind} steps ({neg:+d}, {pos:+d})"
                arms.append(Arm(name, label, search="sd_eq2_test", shift=shift))
    return tuple(sorted(arms, key=lambda arm: arm.name))


SENSITIVITY = _neighbours()

UNIFORM = "uniform"  # UniformAugment with its Cutout: no tile of these experiments bears cutouts
BLUR = "uniform_blur"  # the same with the mean blur in the set


def _plain(name: str, label: str, **values) -> Arm:
    return Arm(name, label, train_set="none", **values)


_DECAY, _SD = {"weight_decay": PAPER_WEIGHT_DECAY}, {"lam": PAPER_EQ1}

#: Section 3.2. The paper has the first, third and fifth; the tuned arms have a grid of six each.
ROBUSTNESS = (
    _plain("weight_decay_none", "weight decay, no augmentation", **_DECAY),
    _plain("sd_eq1_none", "SD Eq. 1, no augmentation", **_SD),
    _plain("weight_decay_uniform", "weight decay + UniformAugment", augment=UNIFORM, **_DECAY),
    _plain(
        "weight_decay_uniform_tuned",
        "weight decay + UniformAugment, validation-tuned",
        augment=UNIFORM,
        search="weight_decay_uniform",
    ),
    _plain("sd_eq1_uniform", "SD Eq. 1 + UniformAugment", augment=UNIFORM, **_SD),
    _plain(
        "sd_eq1_uniform_tuned",
        "SD Eq. 1 + UniformAugment, validation-tuned",
        augment=UNIFORM,
        search="sd_eq1_uniform",
    ),
    _plain("weight_decay_blur", "weight decay + UniformAugment with blur", augment=BLUR, **_DECAY),
    _plain("sd_eq1_blur", "SD Eq. 1 + UniformAugment with blur", augment=BLUR, **_SD),
)

#: Either method without and with UniformAugment, nothing tuned.
ROBUSTNESS_MAIN = tuple(
    arm for arm in ROBUSTNESS if not arm.search and arm.augment in ("", UNIFORM)
)
