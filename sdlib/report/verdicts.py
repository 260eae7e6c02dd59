"""The paper's claims against rows: verdicts by one stated rule.

A claim is a list of parts, each a paired comparison of two arms over seeds. With ``d`` the mean
difference, its 95 % t interval over seeds, and ``p`` the paper's difference:

- a *gain* is **reproduced** if the interval lies above 0 and ``d`` is at least ``p / 2``,
  **partly** if the interval lies above 0 but ``d`` is smaller, **not reproduced** otherwise;
- *no gain* is **reproduced** if the interval lies below ``p / 2``, where ``p`` is the gain that
  the paper reports for the method that does help; else **not reproduced**;
- *a loss* is a gain with the arms exchanged and no size asked for;
- *no difference* is **reproduced** if the interval contains 0 and is narrower than the part's
  margin (half the rival's mean, where it names none) to each side; **not reproduced** if it does
  not contain 0; **undecided** if it contains 0 but is too wide to mean anything;
- *a level* is an arm's own value: **reproduced** if the interval lies within the part's margin of
  ``p``, **not reproduced** if it lies outside, **undecided** if it does both;
- *apart* is the distance of an AUROC from .5, by bootstrap: **reproduced** if its interval lies
  above .1, **partly** if above 0, **not reproduced** otherwise.

A claim is reproduced if all of its parts are, not reproduced if none is, and partly otherwise. A
method that does nothing differs nowhere: where a claim asks for gains and none of them is there,
*no difference* elsewhere does not make it partly.
A *premise* is a part that has to hold for the claim to be testable at all (without a price of the
coincidence there is nothing to win back): it adds nothing to the verdict, but where it was judged
and is not reproduced, the claim is undecided.
With fewer than two paired seeds nothing is judged.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sdlib import results
from sdlib.experiments import EXPERIMENTS
from sdlib.experiments.arms import SENSITIVITY
from sdlib.experiments.comparisons import PARTS, Part, paper_table
from sdlib.metrics import Interval, mean_interval
from sdlib.results import sharpness, sweeps
from sdlib.theory import dual

__all__ = ["PARTS", "Part", "assess", "paired", "paper_table", "report", "verdict_of"]

REPRODUCED, PARTLY, NOT = "reproduced", "partly", "not reproduced"
UNDECIDED, NOT_ATTEMPTED = "undecided", "not attempted yet"
VISIBLY = 0.1  # two sets differ visibly where six of ten pairs of tiles are told apart


def paired(rows: pd.DataFrame, metric: str, arm: str, rival: str) -> np.ndarray:
    """Differences ``arm - rival`` of one metric over the seeds that both have; stale rows out.

    Without a rival (an empty name), the arm's own values.
    """
    if not len(rows) or metric not in rows:
        return np.empty(0)
    table = rows[~rows["stale"]].pivot(index="seed", columns="arm", values=metric)
    if not rival and arm in table:
        return table[arm].dropna().to_numpy()
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
    if part.kind == "apart":
        return REPRODUCED if interval.low > VISIBLY else PARTLY if interval.low > 0 else NOT
    if part.kind == "level":
        low, high = part.paper - part.margin, part.paper + part.margin
        inside = low <= interval.low and interval.high <= high
        outside = interval.high < low or interval.low > high
        return REPRODUCED if inside else NOT if outside else UNDECIDED
    if interval.low > 0 or interval.high < 0:
        return NOT
    narrow = (interval.high - interval.low) / 2 < (part.margin or abs(rival_mean) / 2)
    return REPRODUCED if narrow else UNDECIDED


def _rows_of(part: Part, profile: str, source: str, origin: str) -> pd.DataFrame:
    """The rows that a part is judged on, one an arm and seed, without the stale ones."""
    rows = results.rows(part.experiment, profile, source, origin)
    rows = rows[~rows["stale"]] if len(rows) else rows
    if part.experiment == "cutout_sensitivity":
        centre = results.rows("cutout", profile, source, origin)
        centre = centre[~centre["stale"]] if len(centre) else centre
        return _neighbours(rows, part.arm, centre, part.metric)
    if EXPERIMENTS[part.experiment].swept and len(rows):
        return _swept(rows, profile, source, origin)
    return rows


def _swept(rows: pd.DataFrame, profile: str, source: str, origin: str) -> pd.DataFrame:
    """Accuracy at every level as columns, and its mean over the levels of each shift."""
    found = sweeps.accuracies("robustness", profile, source, origin)
    if not len(found):
        return found
    wide = found.pivot(index=["arm", "seed"], columns="level", values="accuracy")
    means = found.pivot_table("accuracy", ["arm", "seed"], "shift").drop(columns="clean")
    table = wide.join(means).reset_index().assign(stale=False)
    return table.merge(rows[["arm", "seed"]], on=["arm", "seed"])


def _apart(profile: str, source: str, origin: str) -> list[dict]:
    """C7: sets from different scanners (or stain clusters) told apart by sharpness alone."""
    lines = []
    for pair in sharpness.stored_pairs(profile, source, origin).itertuples():
        if pair.same_scanner:
            continue
        part = Part("C7", f"{pair.first} and {pair.second}", "apart", "sharpness", pair.first)
        sign = 1 if pair.auroc >= 0.5 else -1
        ends = sorted((sign * (pair.low - 0.5), sign * (pair.high - 0.5)))
        interval = Interval(pair.groups, abs(pair.auroc - 0.5), float("nan"), *ends)
        lines.append(_line(part, interval, 0.0))
    return lines


def _line(part: Part, interval: Interval, rival: float) -> dict:
    return {
        "claim": part.claim,
        "part": part.text,
        "kind": "premise" if part.premise else part.kind,
        "paper": part.paper if part.kind in ("gain", "level") else float("nan"),
        **vars(interval),
        "verdict": verdict_of(part, interval, rival),
    }


def assess(profile: str, source: str, origin: str = "recorded") -> pd.DataFrame:
    """Every part with what was measured.

    Returns
    -------
    pandas.DataFrame
        claim, part, kind, paper, n, mean, sd, low, high, verdict; differences as fractions.
    """
    lines, found = [], {}
    for part in PARTS:
        # Neighbours are averaged by kind and metric; all other rows are the experiment's own.
        key = (part.experiment, part.arm if part.experiment == "cutout_sensitivity" else "")
        if key not in found:
            found[key] = _rows_of(part, profile, source, origin)
        rows = found[key]
        values = paired(rows, part.metric, part.arm, part.rival)
        missing = Interval(0, *[float("nan")] * 4)
        interval = mean_interval(values) if len(values) else missing
        rivals = paired(rows, part.metric, part.rival, "") if part.rival else np.empty(0)
        rival = rivals.mean() if len(rivals) else 0.0
        lines.append(_line(part, interval, rival))
    return pd.DataFrame(lines + _apart(profile, source, origin))


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
    parts = parts[~premise]
    gains = parts.loc[parts["kind"] == "gain", "verdict"]
    if len(gains) and (gains == NOT).all():
        parts = parts[parts["kind"] != "no difference"]
    verdicts = parts["verdict"]
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
