"""The arms that are compared: loss, weight decay and training set of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CUTOUT", "GAMMA_STEP", "LAM_STEP", "SENSITIVITY", "Arm"]

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
        ``train`` (25 % of benign, 2.5 % of cancer tiles with cutouts) or ``control`` (all).
    search : str, optional
        The search whose best trial replaces the values above.
    shift : tuple, optional
        ``(factor on lam, step added to gamma)``, each a pair (benign, cancer), applied after the
        search: a neighbour of the tuned point.
    """

    name: str
    label: str
    lam: float | tuple[float, float] | None = None
    gamma: tuple[float, float] | None = None
    weight_decay: float = 0.0
    train_set: str = "train"
    search: str | None = None
    shift: tuple[tuple[float, float], tuple[float, float]] | None = None

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
