"""Which rows a page shows: recorded ones and this machine's, side by side, stale ones left out.

A page never fails for want of rows. Where there are none it says so, and which command makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sdlib import experiments, results
from sdlib.errors import ConfigError, DataError
from sdlib.experiments import EXPERIMENTS, PROFILES, SOURCES, trials as tuning
from sdlib.metrics import Interval, mean_interval
from sdlib.report import verdicts as claims
from sdlib.results import sweeps
from sdlib.results.sweeps import Sweep

__all__ = ["MAIN_PROFILE", "Evidence", "columns", "everywhere", "shown"]

MAIN_PROFILE = "laptop"  # the one whose rows the book records
TRIAL = ("family", "judged_on", "trial", "value", "seconds")


@dataclass(frozen=True)
class Evidence:
    """The rows of one experiment at one profile, on one source, of one origin.

    Parameters
    ----------
    experiment, profile, source : str
        As in :mod:`sdlib.experiments`.
    origin : str
        ``recorded`` or ``this run``.

    Examples
    --------
    >>> Evidence("cutout", "smoke", "phantom", "recorded").name
    'recorded: phantom, smoke'
    """

    experiment: str
    profile: str
    source: str
    origin: str = "recorded"

    @property
    def name(self) -> str:
        """Heading of a column or a panel."""
        return f"{self.origin}: {self.source}, {self.profile}"

    @property
    def command(self) -> str:
        """What makes these rows."""
        make = f"make reproduce PROFILE={self.profile} SOURCE={self.source}"
        if self.source != "phantom":
            make += " SDLIB_DATA=/folder"
        if self.origin == "this run":
            recorded = results.recorded_file(self.experiment, self.source, self.profile).exists()
            return f"{make} FRESH=1" if recorded else make
        record = f"python -m sdlib record {self.experiment}"
        return f"{make}, then {record} --profile {self.profile} --source {self.source}"

    def of(self, experiment: str) -> Evidence:
        """The same place's evidence on another experiment."""
        return replace(self, experiment=experiment)

    @cached_property
    def _found(self) -> pd.DataFrame:
        return results.rows(self.experiment, self.profile, self.source, self.origin, nested=True)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """One row a run as :func:`sdlib.results.rows` gives them, without the stale ones."""
        found = self._found
        return found[~found["stale"]].reset_index(drop=True) if len(found) else found

    @property
    def stale(self) -> int:
        """Number of rows left out because their configuration is not today's."""
        return len(self._found) - len(self.rows)

    @property
    def arms(self) -> list[str]:
        """Names of the arms that have rows, in the registry's order."""
        present = set(self.rows["arm"]) if len(self.rows) else set()
        return [arm.name for arm in EXPERIMENTS[self.experiment].arms if arm.name in present]

    @property
    def scored(self) -> list[str]:
        """Those of :attr:`arms` whose predictions are at hand too."""
        return [arm for arm in self.arms if self.logits(arm, "test")]

    @property
    def seeds(self) -> int:
        """The largest number of seeds an arm has; 0 without rows."""
        return int(self.rows.groupby("arm")["seed"].nunique().max()) if len(self.rows) else 0

    @property
    def sentence(self) -> str:
        """What there is, or what is missing and how to get it."""
        if not len(self.rows):
            left_out = f" ({self.stale} stale left out)" if self.stale else ""
            return f"{self.name}: no rows{left_out}. They come from: `{self.command}`"
        hours = self.rows["seconds"].sum() / 3600
        devices = " and ".join(sorted(self.rows["device"].unique()))
        stale = f"; {self.stale} stale rows left out" if self.stale else ""
        return (
            f"{self.name}: {len(self.rows)} runs, {len(self.arms)} arms, up to {self.seeds} seeds, "
            f"{hours:.2f} hours on {devices}{stale}."
        )

    def values(self, metric: str, arm: str) -> np.ndarray:
        """One metric of one arm, float64 (seeds,), by rising seed; empty where there is none."""
        if not len(self.rows) or metric not in self.rows:
            return np.empty(0)
        mine = self.rows[self.rows["arm"] == arm].sort_values("seed")
        return mine[metric].dropna().to_numpy(np.float64)

    def interval(self, metric: str, arm: str) -> Interval | None:
        """The same as mean, SD and 95 % t interval over seeds; None where there is nothing."""
        values = self.values(metric, arm)
        return mean_interval(values) if len(values) else None

    def difference(self, metric: str, arm: str, rival: str) -> Interval | None:
        """``arm - rival``, paired over the seeds that both have; None where there are none."""
        if not len(self.rows) or metric not in self.rows:
            return None
        values = claims.paired(self.rows, metric, arm, rival)
        return mean_interval(values) if len(values) else None

    def setting(self, arm: str) -> dict:
        """The configuration of an arm's first run: lam, gamma, weight_decay and all else.

        Raises
        ------
        ConfigError
            The arm has no rows.
        """
        if arm not in self.arms:
            raise ConfigError(f"expected an arm with rows, one of {self.arms}, got {arm!r}")
        return self.rows[self.rows["arm"] == arm]["config"].iloc[0]

    @cached_property
    def _predictions(self) -> dict[str, np.ndarray]:
        try:
            return results.predictions(self.experiment, self.profile, self.source, self.origin)
        except DataError:
            return {}

    def logits(self, arm: str, name: str) -> dict[int, np.ndarray]:
        """Logits of one arm on one set, float32 (n,), by seed; only of runs whose row counts."""
        if arm not in self.arms:
            return {}
        seeds = sorted(self.rows[self.rows["arm"] == arm]["seed"])
        keys = {seed: f"{arm}/seed{seed}/{name}.logits" for seed in seeds}
        return {s: self._predictions[k] for s, k in keys.items() if k in self._predictions}

    def targets(self, name: str) -> np.ndarray:
        """Targets of a set, int8 (n,); ``clean`` and ``all`` are the test tiles once more."""
        part = "validation" if name == "validation" else "test"
        return self._predictions.get(f"{part}.targets", np.empty(0, np.int8))

    @cached_property
    def sweep(self) -> Sweep:
        """The networks' logits at every level of shift; of runs whose row counts."""
        found = sweeps.load(self.experiment, self.profile, self.source, self.origin)
        valid = set(zip(self.rows["arm"], self.rows["seed"], strict=True)) if self.arms else set()
        kept = {key: logits for key, logits in found.logits.items() if key in valid}
        return replace(found, logits=kept)

    def trials(self) -> pd.DataFrame:
        """Every trial of the experiment's searches.

        Returns
        -------
        pandas.DataFrame
            family, judged_on, trial, value, seconds, best (bool), reused (bool: another search
            had trained it), validation and test (balanced accuracies), and one column a searched
            value. Without lines if nothing was searched.
        """
        lines = []
        for search in experiments.searches(self.experiment, self.profile, self.source):
            trials = tuning.trials(search, self.origin == "recorded")
            best = max(range(len(trials)), key=lambda k: trials[k]["value"], default=-1)
            for k, trial in enumerate(trials):
                scores = {s: trial["metrics"][s]["accuracy"] for s in ("validation", "test")}
                line: dict[str, Any] = {name: trial[name] for name in TRIAL}
                line |= {"best": k == best, "reused": "trained_as" in trial}
                lines.append({**line, **scores, **trial["values"]})
        columns = None if lines else [*TRIAL, "best", "reused", "validation", "test"]
        return pd.DataFrame(lines, columns=columns).astype({"reused": bool, "seconds": float})


def columns(experiment: str, profile: str, source: str) -> list[Evidence]:
    """The columns of the book's tables: what is recorded, then this machine's own rows.

    The recorded laptop rows on ``phantom`` and ``open`` are always among them, to say so where they
    are missing; other recorded rows where there are any.

    >>> [column.name for column in columns("cutout", "quick", "phantom")][-1]
    'this run: phantom, quick'
    """
    standard = [(MAIN_PROFILE, "phantom"), (MAIN_PROFILE, "open")]
    others = [
        (p, s)
        for p in PROFILES
        for s in SOURCES
        if (p, s) not in standard and results.recorded_file(experiment, s, p).exists()
    ]
    recorded = [Evidence(experiment, p, s) for p, s in [*standard, *others]]
    return [*recorded, Evidence(experiment, profile, source, "this run")]


def everywhere(profile: str, source: str) -> list[Evidence]:
    """The places of all experiments: :func:`columns` of each of them, every place once.

    A place stands as the first experiment's that has rows there; :meth:`Evidence.of` leads to the
    others'.

    >>> everywhere("quick", "phantom")[-1].name
    'this run: phantom, quick'
    """
    found: dict[str, Evidence] = {}
    for experiment in EXPERIMENTS:
        for place in columns(experiment, profile, source):
            known = found.setdefault(place.name, place)
            if place.arms and not known.arms:
                found[place.name] = place
    return sorted(found.values(), key=lambda place: place.origin != "recorded")


def shown(experiment: str, profile: str, source: str, figures: str = "recorded") -> Evidence:
    """The rows that a chapter's figures are drawn from: the first of these that exist.

    Recorded at this profile and source; recorded at the laptop's profile on this source; this
    machine's own; recorded on phantom tissue. With ``figures="this run"`` this machine's own rows
    come first. Without any rows, this machine's own place is returned, to say what is missing.
    Where the experiment is not run at this profile, the laptop's takes its place.

    Raises
    ------
    ConfigError
        ``figures`` is neither ``recorded`` nor ``this run``.
    """
    if figures not in results.ORIGINS:
        raise ConfigError(f"expected figures as one of {results.ORIGINS}, got {figures!r}")
    if profile not in EXPERIMENTS[experiment].profiles:
        profile = MAIN_PROFILE
    own = Evidence(experiment, profile, source, "this run")
    recorded = [Evidence(experiment, p, source) for p in dict.fromkeys((profile, MAIN_PROFILE))]
    order = [*recorded, own] if figures == "recorded" else [own, *recorded]
    order.append(Evidence(experiment, MAIN_PROFILE, "phantom"))
    return next((place for place in order if place.arms), own)
