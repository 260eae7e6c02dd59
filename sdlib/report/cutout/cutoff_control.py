"""The control that the paper lacks: were other features learned, or has the threshold moved?

A method whose values were tuned on labels is set against a rival whose cut-off was tuned on the
same labels. Beside it stand measures that no cut-off and no scale of the logits can change: AUROC,
and what cutouts do to the logit of one and the same tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from sdlib.errors import ConfigError
from sdlib.metrics import FEWEST_SEEDS, Interval, balanced_accuracy, best_cutoff, mean_interval
from sdlib.report.tables import describe, ends_in_points, order_in_words
from sdlib.results import Place

__all__ = [
    "SHIFT_MEASURES",
    "CutoffControl",
    "accuracy_at",
    "conclusion",
    "control_panels",
    "control_table",
    "cutoff_control",
    "every_control",
    "logit_shift",
    "share_of_squares",
    "shift_table",
    "tuned_accuracy",
]

TOO_FEW = f"Fewer than {FEWEST_SEEDS} seeds have no interval: nothing is concluded."


def tuned_accuracy(place: Place, arm: str, judged_on: str) -> pd.Series:
    """Balanced accuracy on the test set at each network's best cut-off on another set.

    Parameters
    ----------
    judged_on : str
        ``validation`` or ``test``: where the cut-off may see labels. On ``test`` the accuracy is
        the highest that any cut-off gives, as optimistic as tuning Eq. 2 there.

    Returns
    -------
    pandas.Series
        float64, by seed; empty without predictions.
    """
    if judged_on not in ("validation", "test"):
        raise ConfigError(f"expected judged_on as validation or test, got {judged_on!r}")
    seen, test = place.logits(arm, judged_on), place.logits(arm, "test")
    found = {}
    for seed in sorted(seen.keys() & test.keys()):
        cutoff = best_cutoff(place.targets(judged_on), expit(seen[seed].astype(np.float64)))
        scores = expit(test[seed].astype(np.float64))
        found[seed] = balanced_accuracy(place.targets("test"), scores, cutoff)
    return pd.Series(found, dtype=np.float64)


def accuracy_at(place: Place, arm: str, cutoff: float) -> pd.Series:
    """Balanced accuracy on the test set at one cut-off for all networks.

    Parameters
    ----------
    cutoff : float
        A probability; predictions above it are cancer.

    Returns
    -------
    pandas.Series
        float64, by seed; empty without predictions.
    """
    found = {
        seed: balanced_accuracy(place.targets("test"), expit(logits.astype(np.float64)), cutoff)
        for seed, logits in place.logits(arm, "test").items()
    }
    return pd.Series(found, dtype=np.float64)


@dataclass(frozen=True)
class CutoffControl:
    """A method against a rival before and after the rival's cut-off was tuned.

    Parameters
    ----------
    arm, rival, judged_on : str
        The set on which both the method's values and the rival's cut-off were tuned.
    gain : Interval
        Balanced accuracy on test, ``arm - rival``, both at .5; paired over seeds.
    left : Interval
        The same with the rival at its tuned cut-off.
    auroc : Interval
        AUROC on test, ``arm - rival``: no cut-off changes it.
    labels : pair of str
        What tables call the arm and the rival.
    """

    arm: str
    rival: str
    judged_on: str
    gain: Interval
    left: Interval
    auroc: Interval
    labels: tuple[str, str]

    @property
    def parts(self) -> dict[str, Interval]:
        """The three differences by heading, as tables and figures show them."""
        return {"both at .5": self.gain, "rival's cut-off tuned": self.left, "AUROC": self.auroc}

    @property
    def explained(self) -> str:
        """``no gain``, ``moved cut-off`` or ``more than a cut-off``, by the intervals' ends."""
        if not self.gain.low > 0:
            return "no gain"
        return "more than a cut-off" if self.left.low > 0 else "moved cut-off"

    @property
    def short_finding(self) -> str:
        """What the intervals show, as one sentence of Markdown with its numbers."""
        gain, left, auroc = map(ends_in_points, self.parts.values())
        return self._paragraph(
            f"{gain} at .5, {left} with the rival's cut-off tuned, AUROC {auroc}, in points."
        )

    @property
    def finding(self) -> str:
        """What the intervals show, as a paragraph of Markdown that explains each number."""
        gain, left, auroc = map(ends_in_points, self.parts.values())
        if self.auroc.low > 0:
            ranking = "is higher: the tiles are ranked better, which no cut-off can do"
        elif self.auroc.high < 0:
            ranking = "is lower: the tiles are ranked worse"
        else:
            ranking = "does not tell the two apart"
        return self._paragraph(
            f"the difference is {gain} points at .5, and {left} once the rival's cut-off is tuned "
            f"on the same {self.judged_on} tiles. AUROC, in points, differs by {auroc} and "
            f"{ranking}."
        )

    def _paragraph(self, numbers: str) -> str:
        """Which arms, what follows, and the numbers; with few seeds nothing follows."""
        head = f"**{self.labels[0]}, against {self.labels[1]}.** "
        if min(self.gain.n, self.left.n) < FEWEST_SEEDS:
            return head + TOO_FEW
        answer = {
            "no gain": "There is no gain at .5 to explain",
            "moved cut-off": "A moved cut-off may do as much",
            "more than a cut-off": "The gain is more than a moved cut-off",
        }[self.explained]
        return f"{head}{answer}: {numbers}"


def cutoff_control(
    place: Place, arm: str, judged_on: str, rival: str = "weight_decay"
) -> CutoffControl | None:
    """The control that the paper lacks; None where a row or prediction of either arm is missing."""
    gain = place.difference("test.accuracy", arm, rival)
    auroc = place.difference("test.auroc", arm, rival)
    if gain is None or auroc is None:
        return None
    own = place.by_seed("test.accuracy", arm)
    left = (own - tuned_accuracy(place, rival, judged_on)).dropna()
    if not len(left):
        return None
    labels = place.label(arm), place.label(rival)
    return CutoffControl(arm, rival, judged_on, gain, mean_interval(left.to_numpy()), auroc, labels)


#: The arms of Equation 2 that were tuned here, and on which cohort. The paper's values saw no label
#: of ours: :mod:`sdlib.report.cutout.equal_access` compares them.
TUNED_ON = {"sd_eq2_tuned": "validation", "sd_eq2_test_tuned": "test"}
#: The rival whose strength of weight decay was tuned there.
TUNED_RIVALS = {"validation": "weight_decay_tuned", "test": "weight_decay_test_tuned"}


def every_control(place: Place) -> list[CutoffControl]:
    """Every arm of Equation 2 against plain and against tuned weight decay.

    Each rival's cut-off is tuned where the arm's values were. Pairs without rows or predictions
    are left out.
    """
    found = []
    for arm, judged_on in TUNED_ON.items():
        for rival in ("weight_decay", TUNED_RIVALS[judged_on]):
            control = cutoff_control(place, arm, judged_on, rival)
            if control:
                found.append(control)
    return found


def control_table(controls: Sequence[CutoffControl]) -> pd.DataFrame:
    """Arm minus rival at .5, with the rival's tuned cut-off, and in AUROC; one line per pair."""
    lines = {}
    for one in controls:
        name = one.labels[0], f"{one.labels[1]}, cut-off on {one.judged_on}"
        lines[name] = {heading: describe(part, sign=True) for heading, part in one.parts.items()}
    table = pd.DataFrame(lines).T
    return table.rename_axis(["arm", "minus"]) if lines else table


def control_panels(controls: Sequence[CutoffControl]) -> dict[str, dict[str, Interval]]:
    """The same for :func:`sdlib.report.intervals.difference_plot`: a panel per kind of difference.

    Returns
    -------
    dict of str to dict of str to Interval
        By heading, and by the names of the pair; fractions.
    """
    panels: dict[str, dict[str, Interval]] = {}
    for one in controls:
        for heading, interval in one.parts.items():
            panels.setdefault(heading, {})[f"{one.labels[0]}, minus {one.labels[1]}"] = interval
    return panels


_GAINS = {
    "sd_eq2_test_tuned": {
        "no gain": "Tuned on the test split, Equation 2 shows no gain even there.",
        "moved cut-off": "Tuned on the test split, Equation 2 gains accuracy at .5; so does a "
        "plain network whose cut-off saw the same labels. A moved threshold looks like this.",
        "more than a cut-off": "Tuned on the test split, Equation 2 gains more than a plain "
        "network whose cut-off saw the same labels: more has changed than a threshold.",
    },
    "sd_eq2_tuned": {
        "no gain": "Tuned on validation tiles, as one has to in practice, it shows none.",
        "moved cut-off": "Tuned on validation tiles it gains no more than a cut-off tuned there.",
        "more than a cut-off": "Tuned on validation tiles, as one has to in practice, it gains "
        "too, and more than a cut-off tuned there.",
    },
}


def conclusion(place: Place) -> str:
    """What one place's rows say about the tuned values of Equation 2, in a few sentences.

    Empty where rows, predictions or seeds do not suffice.
    """
    if not set(TUNED_ON) & set(place.arms):
        return ""
    controls = [cutoff_control(place, arm, TUNED_ON[arm]) for arm in _GAINS]
    controls = [one for one in controls if one and min(one.gain.n, one.left.n) >= FEWEST_SEEDS]
    sentences = [_GAINS[one.arm][one.explained] for one in controls]
    for one in controls:
        if one.auroc.low > 0:
            gain = ends_in_points(one.auroc)
            sentences.append(f"{one.labels[0]}: AUROC is higher by {gain} points.")
    tuned = place.difference("test.accuracy", "sd_eq2_test_tuned", "weight_decay_test_tuned")
    if tuned and tuned.n >= FEWEST_SEEDS:
        sentences.append(
            "Against weight decay whose strength was tuned on the test split as well, Equation 2 "
            f"tuned there is {order_in_words(tuned)}: {ends_in_points(tuned)} points."
        )
    return " ".join(sentences)


def logit_shift(place: Place, arm: str) -> pd.DataFrame:
    """What cutouts do to the logit of one and the same tile, one line per seed.

    Returns
    -------
    pandas.DataFrame
        ``shift``: mean logit with cutouts minus without, over the test tiles; ``distance``:
        between the classes' mean logits without cutouts; ``share``: shift / distance, which does
        not change when a method scales or moves all logits. Empty without predictions.
    """
    clean, cut = place.logits(arm, "clean"), place.logits(arm, "all")
    targets, lines = place.targets("test"), {}
    for seed in sorted(clean.keys() & cut.keys()):
        bare = clean[seed].astype(np.float64)
        distance = bare[targets == 1].mean() - bare[targets == 0].mean()
        shift = (cut[seed] - bare).mean()
        lines[seed] = shift, distance, shift / distance
    columns = ["shift", "distance", "share"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns)


def share_of_squares(place: Place, arm: str) -> pd.Series:
    """The share r of the logit's distance by which cutouts move it: float64, by seed."""
    return logit_shift(place, arm)["share"].astype(np.float64)


def _share_beyond(place: Place, arm: str, rival: str = "weight_decay") -> pd.Series:
    """An arm's share of the squares minus the rival's, paired over seeds; empty for the rival."""
    if arm == rival:
        return pd.Series(dtype=np.float64)
    return (share_of_squares(place, arm) - share_of_squares(place, rival)).dropna()


#: What cutouts do to the logit, for :func:`sdlib.report.intervals.interval_plot`.
SHIFT_MEASURES = {
    lambda place, arm: logit_shift(place, arm)["shift"]: "shift s, logits",
    share_of_squares: "share r",
    _share_beyond: "r minus weight decay's",
}


def shift_table(place: Place, rival: str = "weight_decay") -> pd.DataFrame:
    """Mean shift and share of every arm, and its share minus the rival's, paired over seeds."""
    shifts = {arm: logit_shift(place, arm) for arm in place.scored}
    lines = {}
    for arm, one in shifts.items():
        columns = {"shift s": one["shift"], "share r": one["share"]}
        if rival in shifts and arm != rival:
            heading = f"r minus {place.label(rival)}'s"
            columns[heading] = (one["share"] - shifts[rival]["share"]).dropna()
        cells = {
            heading: describe(mean_interval(values.to_numpy()), sign=True)
            for heading, values in columns.items()
            if len(values)
        }
        if cells:
            lines[place.label(arm)] = cells
    return pd.DataFrame(lines).T.fillna("–")
