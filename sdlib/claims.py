"""The paper's claims against rows: verdicts by one stated rule.

A claim is a list of parts, each a paired comparison of two arms over seeds. With ``d`` the mean
difference, its 95 % t interval over seeds, and ``p`` the paper's difference:

- a *gain* is **reproduced** if the interval lies above 0 and ``d`` is at least ``p / 2``,
  **partly** if the interval lies above 0 but ``d`` is smaller, **not reproduced** otherwise;
- *no gain* is **reproduced** if the interval lies below ``p / 2``, where ``p`` is the gain that
  the paper reports for the method that does help; else **not reproduced**;
- *a loss* is a gain with the arms exchanged and no size asked for;
- *no difference* is **reproduced** if the interval contains 0 and is narrower than half the
  rival's mean to each side; **not reproduced** if it does not contain 0; **undecided** if it
  contains 0 but is too wide to mean anything.

A claim is reproduced if all of its parts are, not reproduced if none is, and partly otherwise.
A *premise* is a part that has to hold for the claim to be testable at all (without a price of the
coincidence there is nothing to win back): it adds nothing to the verdict, but where it was judged
and is not reproduced, the claim is undecided.
With fewer than two paired seeds nothing is judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sdlib import results
from sdlib.arms import SENSITIVITY
from sdlib.metrics import Interval, mean_interval
from sdlib.paths import data_folder
from sdlib.theory import dual

__all__ = ["PARTS", "Part", "assess", "paired", "paper_table", "report", "verdict_of"]

REPRODUCED, PARTLY, NOT = "reproduced", "partly", "not reproduced"
UNDECIDED, NOT_ATTEMPTED = "undecided", "not attempted yet"


@dataclass(frozen=True)
class Part:
    """One comparison behind a claim: ``arm`` minus ``rival`` in ``metric``.

    ``kind`` is gain, no gain, loss or no difference; ``paper`` the paper's difference.
    """

    claim: str
    text: str
    kind: str
    metric: str
    arm: str
    rival: str
    paper: float = 0.0
    experiment: str = "cutout"
    premise: bool = False


def paper_table(name: str) -> pd.DataFrame:
    """One of the paper's tables, from ``data/paper``.

    >>> list(paper_table("table2").columns[:3])
    ['arm', 'label', 'metric']
    """
    return pd.read_csv(data_folder() / "paper" / f"{name}.csv")


def _paper_difference(metric: str, arm: str, rival: str) -> float:
    means = paper_table("table2").set_index(["metric", "arm"])["mean"]
    return float(means[metric, arm] - means[metric, rival])


_EQ2, _DECAY = "sd_eq2_test_tuned", "weight_decay"
_GAIN = _paper_difference("accuracy", _EQ2, _DECAY)
PARTS = (
    Part("C1", "accuracy, SD over weight decay", "gain", "test.accuracy", _EQ2, _DECAY, _GAIN),
    Part(
        "C1",
        "recall, SD over weight decay",
        "gain",
        "test.recall",
        _EQ2,
        _DECAY,
        _paper_difference("recall", _EQ2, _DECAY),
    ),
    Part(
        "C1",
        "accuracy, control over weight decay",
        "gain",
        "test.accuracy",
        "control",
        _DECAY,
        _paper_difference("accuracy", "control", _DECAY),
        premise=True,
    ),
    Part("C2", "Eq. 1, paper's lambda", "no gain", "test.accuracy", "sd_eq1", _DECAY, _GAIN),
    Part("C2", "Eq. 1, tuned", "no gain", "test.accuracy", "sd_eq1_tuned", _DECAY, _GAIN),
    Part("C2", "Eq. 2, tuned on test", "gain", "test.accuracy", _EQ2, _DECAY, _GAIN),
    Part("C3", "one step in lambda", "loss", "test.accuracy", "lam", _EQ2, 0.0, "sensitivity"),
    Part("C3", "one step in gamma", "loss", "test.accuracy", "gamma", _EQ2, 0.0, "sensitivity"),
    Part("C4", "map for benign", "no difference", "cam.benign_share", _EQ2, _DECAY),
    Part("C4", "map for cancer", "no difference", "cam.cancer_share", _EQ2, _DECAY),
)


def paired(rows: pd.DataFrame, metric: str, arm: str, rival: str) -> np.ndarray:
    """Differences ``arm - rival`` of one metric over the seeds that both have; stale rows out."""
    if not len(rows):
        return np.empty(0)
    table = rows[~rows["stale"]].pivot(index="seed", columns="arm", values=metric)
    if arm not in table or rival not in table:
        return np.empty(0)
    return (table[arm] - table[rival]).dropna().to_numpy()


def _neighbours(rows: pd.DataFrame, kind: str, centre: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The mean over all neighbours of one kind, a row a seed, beside the centre's rows."""
    names = [arm.name for arm in SENSITIVITY if arm.name.startswith(f"{kind}_")]
    if not len(rows):
        return centre
    chosen = rows[rows["arm"].isin(names) & ~rows["stale"]]
    means = chosen.groupby("seed")[metric].agg(["mean", "size"])
    means = means[means["size"] == len(names)]  # seeds with every neighbour
    mean_rows = pd.DataFrame(
        {"arm": kind, "seed": means.index, "stale": False, metric: means["mean"].to_numpy()}
    )
    return pd.concat([centre, mean_rows], ignore_index=True)


def verdict_of(part: Part, interval: Interval, rival_mean: float) -> str:
    """The rule of this module for one part.

    >>> part = Part("C1", "", "gain", "test.accuracy", "a", "b", 0.1)
    >>> verdict_of(part, Interval(5, 0.08, 0.01, 0.07, 0.09), 0.7)
    'reproduced'
    """
    if interval.n < 2:
        return NOT_ATTEMPTED
    if part.kind == "gain":
        if not interval.low > 0:
            return NOT
        return REPRODUCED if interval.mean >= part.paper / 2 else PARTLY
    if part.kind == "no gain":
        return REPRODUCED if interval.high < part.paper / 2 else NOT
    if part.kind == "loss":
        return REPRODUCED if interval.high < 0 else NOT
    if interval.low > 0 or interval.high < 0:
        return NOT
    narrow = (interval.high - interval.low) / 2 < abs(rival_mean) / 2
    return REPRODUCED if narrow else UNDECIDED


def assess(profile: str, source: str, origin: str = "recorded") -> pd.DataFrame:
    """Every part with what was measured.

    Returns
    -------
    pandas.DataFrame
        claim, part, kind, paper, n, mean, sd, low, high, verdict; differences as fractions.
    """
    cutout = results.rows("cutout", profile, source, origin)
    cutout = cutout[~cutout["stale"]] if len(cutout) else cutout
    around = results.rows("cutout_sensitivity", profile, source, origin)
    lines = []
    for part in PARTS:
        rows = cutout
        if part.experiment == "sensitivity":
            rows = _neighbours(around, part.arm, cutout, part.metric)
        values = paired(rows, part.metric, part.arm, part.rival)
        missing = Interval(0, *[float("nan")] * 4)
        interval = mean_interval(values) if len(values) else missing
        rival = cutout.loc[cutout["arm"] == part.rival, part.metric].mean() if len(cutout) else 0.0
        lines.append(
            {
                "claim": part.claim,
                "part": part.text,
                "kind": "premise" if part.premise else part.kind,
                "paper": part.paper if part.kind == "gain" else float("nan"),
                **vars(interval),
                "verdict": verdict_of(part, interval, rival),
            }
        )
    return pd.DataFrame(lines)


def theory_verdict(lam: float = 0.01) -> tuple[str, str]:
    """C0, judged on the spot: two coupled features, the first of which grows; no rows are needed.

    Under cross-entropy with weight decay the second feature's resting response has to fall, under
    spectral decoupling it must not move.

    Returns
    -------
    verdict, why : str

    >>> theory_verdict()[0]
    'reproduced'
    """
    u, strengths = dual.coupled_pair(0.5), (2.001, 3.0, 4.0, 5.0, 6.0)
    rest = {}
    for penalty in ("weight_decay", "sd"):  # by descent on the weights, which knows the strengths
        flows = [dual.primal_flow(u, [s, 2.0], lam, penalty, [0.0, 2000.0]) for s in strengths]
        rest[penalty] = np.array([flow[-1, 1] for flow in flows])
    starved, moved = rest["weight_decay"], float(np.ptp(rest["sd"]))
    holds = bool((np.diff(starved) < 0).all()), moved < 1e-4
    why = (
        "two coupled features, the strong one growing: the weak response falls from "
        f"{starved[0]:.3f} to {starved[-1]:.3f} under weight decay and moves by {moved:.0e} "
        "under spectral decoupling"
    )
    return (REPRODUCED if all(holds) else PARTLY if any(holds) else NOT), why


def _overall(parts: pd.DataFrame) -> str:
    """One verdict from those of a claim's parts."""
    premise = parts["kind"] == "premise"
    if parts.loc[premise, "verdict"].isin([PARTLY, NOT]).any():
        return UNDECIDED
    verdicts = parts.loc[~premise, "verdict"]
    judged = set(verdicts) - {NOT_ATTEMPTED}
    if not judged:
        return NOT_ATTEMPTED
    if len(set(verdicts)) == 1 or judged == {UNDECIDED}:
        return judged.pop()
    return PARTLY if judged & {REPRODUCED, PARTLY} else NOT


def report(profile: str, source: str, origin: str = "recorded") -> pd.DataFrame:
    """Every claim of the paper with a verdict: id, where, claim, verdict, why."""
    table = paper_table("claims")
    parts = assess(profile, source, origin)
    verdicts, reasons = [], []
    for claim in table["id"]:
        mine = parts[parts["claim"] == claim]
        verdicts.append(_overall(mine) if len(mine) else NOT_ATTEMPTED)
        reasons.append(
            "; ".join(
                f"{r.part}: {r.mean:+.3f} ({r.low:+.3f} to {r.high:+.3f}, n = {r.n}), {r.verdict}"
                for r in mine.itertuples()
                if r.verdict != NOT_ATTEMPTED
            )
        )
    return table.assign(verdict=verdicts, why=reasons)
