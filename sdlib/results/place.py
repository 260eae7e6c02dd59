"""A place: all results of one experiment at one profile, on one source, of one origin.

A page never fails for want of rows. Where there are none it says so, and which command makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from sdlib.datasets.folder_names import short_name
from sdlib.errors import ConfigError
from sdlib.experiments import Look
from sdlib.metrics import Interval, mean_interval
from sdlib.results.key import PlaceKey
from sdlib.results.linear_heads import read_heads, read_source_heads
from sdlib.results.predictions import found_predictions
from sdlib.results.rows import row_table, shares_training
from sdlib.results.sharpness import Sharpness, pairs, read_sharpness
from sdlib.results.sweeps import Sweep, read_sweep
from sdlib.results.trial_table import trial_table

__all__ = ["Ensemble", "Place"]


class Ensemble(NamedTuple):
    """Mean probability of an arm's networks, float64 (n,), and how many they are."""

    scores: np.ndarray
    networks: int


@dataclass(frozen=True)
class Place(PlaceKey):
    """Rows, predictions, sweep, trials and sharpness of an experiment, each read once.

    Stale rows are left out, and with them the predictions and sweeps of their networks.

    Parameters
    ----------
    experiment, profile, source, origin : str
        As in :class:`sdlib.results.key.PlaceKey`.

    Examples
    --------
    >>> Place("cutout", "smoke", "phantom", "recorded").name
    'recorded: phantom, smoke'
    """

    _family: dict[str, Place] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What tables and figures call the place."""
        return f"{self.origin}: {short_name(self.source)}, {self.profile}"

    def of(self, experiment: str) -> Place:
        """The same place's results of another experiment."""
        self._family.setdefault(self.experiment, self)
        if experiment not in self._family:
            self._family[experiment] = replace(self, experiment=experiment)
        return self._family[experiment]

    # -- Rows

    @cached_property
    def all_rows(self) -> pd.DataFrame:
        """One line per run as :func:`sdlib.results.rows.row_table` has them, stale ones too."""
        return row_table(self)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """One line per run of today's configuration."""
        found = self.all_rows
        return found[~found["stale"]].reset_index(drop=True) if len(found) else found

    @property
    def stale(self) -> int:
        """Number of rows left out because their configuration is not today's."""
        return len(self.all_rows) - len(self.rows)

    @property
    def arms(self) -> list[str]:
        """Names of the arms that have rows, in the experiment's order."""
        present = set(self.rows["arm"]) if len(self.rows) else set()
        return [arm.name for arm in self.definition.arms if arm.name in present]

    @property
    def seeds(self) -> int:
        """The largest number of seeds that an arm has; 0 without rows."""
        return int(self.rows.groupby("arm")["seed"].nunique().max()) if len(self.rows) else 0

    @property
    def seconds(self) -> float:
        """How long the runs took; a training that several arms share counts once."""
        if not len(self.rows):
            return 0.0
        return float(self.rows["seconds"][~shares_training(self.rows)].sum())

    def label(self, arm: str) -> str:
        """What tables call an arm."""
        return self.definition.arm(arm).label

    def look(self, arm: str) -> Look:
        """How figures draw an arm."""
        return self.definition.arm(arm).style

    @property
    def looks(self) -> dict[str, Look]:
        """How figures draw each arm of the experiment, by name."""
        return {arm.name: arm.style for arm in self.definition.arms}

    @property
    def labels(self) -> dict[str, str]:
        """What tables call the arms that have rows, by name."""
        return {arm: self.label(arm) for arm in self.arms}

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

    # -- Metrics over seeds

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """The rows with, where networks were swept, their accuracy at every level as columns.

        Such columns are called like the level (``blur-19``) or, for the mean over all levels of
        a shift, like the shift (``blur``).
        """
        if not (self.definition.swept and len(self.rows)):
            return self.rows
        return self.rows.merge(self.sweep.wide(), on=["arm", "seed"], how="left")

    def by_seed(self, metric: str, arm: str) -> pd.Series:
        """One metric of one arm, float64, by seed; empty where there is none.

        Raises
        ------
        ConfigError
            The experiment has no such arm.
        """
        self.definition.arm(arm)
        table = self.metrics
        if not len(table) or metric not in table:
            return pd.Series(dtype=np.float64)
        mine = table[table["arm"] == arm].set_index("seed")[metric]
        return mine.dropna().astype(np.float64).sort_index()

    def values(self, metric: str, arm: str) -> np.ndarray:
        """One metric of one arm as an array (seeds,), by rising seed."""
        return self.by_seed(metric, arm).to_numpy()

    def paired(self, metric: str, arm: str, rival: str) -> np.ndarray:
        """Differences ``arm - rival`` of one metric, float64, over the seeds that both have."""
        difference = self.by_seed(metric, arm) - self.by_seed(metric, rival)
        return difference.dropna().to_numpy()

    def interval(self, metric: str, arm: str) -> Interval | None:
        """Mean, SD and 95 % t interval of one metric of one arm over seeds; None without values."""
        values = self.values(metric, arm)
        return mean_interval(values) if len(values) else None

    def difference(self, metric: str, arm: str, rival: str) -> Interval | None:
        """Mean, SD and 95 % t interval of two arms' paired differences; None without any."""
        values = self.paired(metric, arm, rival)
        return mean_interval(values) if len(values) else None

    # -- Predictions

    @cached_property
    def _predictions(self) -> dict[str, np.ndarray]:
        return found_predictions(self)

    def logits(self, arm: str, cohort: str) -> dict[int, np.ndarray]:
        """Logits of one arm on one cohort, float32 (n,), by seed; only of runs that count."""
        if arm not in self.arms:
            return {}
        found = {}
        for seed in sorted(self.rows[self.rows["arm"] == arm]["seed"]):
            stored = self._predictions.get(f"{arm}/seed{seed}/{cohort}.logits")
            if stored is not None:
                whole = np.result_type(stored, np.float32)  # recorded ones are in half precision
                found[int(seed)] = stored.astype(whole)
        return found

    def targets(self, cohort: str) -> np.ndarray:
        """Targets of a cohort, int8 (n,); empty where there are no predictions.

        Raises
        ------
        ConfigError
            The experiment has no such cohort.
        DataError
            There are more or fewer targets than logits.
        """
        owner = self.definition.cohort_of_targets(cohort)
        return self._predictions.get(f"{owner}.targets", np.empty(0, np.int8))

    def groups(self, cohort: str) -> np.ndarray:
        """Groups of a cohort's images, such as their patients, as whole numbers (n,).

        Where none are stored, every image is a group of its own: so are runs' images whose groups
        are all different. Empty where there are no predictions.

        Raises
        ------
        ConfigError
            The experiment has no such cohort.
        DataError
            There are more or fewer targets than logits.
        """
        owner = self.definition.cohort_of_targets(cohort)
        stored = self._predictions.get(f"{owner}.groups")
        return np.arange(len(self.targets(cohort))) if stored is None else stored

    @property
    def scored(self) -> list[str]:
        """Names of the arms that have rows and predictions."""
        return [arm for arm in self.arms if self.logits(arm, "test")]

    def ensemble(self, arm: str, cohort: str) -> Ensemble | None:
        """The mean probability of an arm's networks; None without predictions."""
        found = self.logits(arm, cohort).values()
        if not found:
            return None
        scores = expit(np.stack([*found]).astype(np.float64)).mean(axis=0)
        return Ensemble(scores, len(found))

    # -- Measurements and searches

    @cached_property
    def sweep(self) -> Sweep:
        """The networks' logits at every level of shift; of runs whose row counts."""
        found = read_sweep(self)
        valid = set(zip(self.rows["arm"], self.rows["seed"], strict=True)) if self.arms else set()
        kept = {key: logits for key, logits in found.logits.items() if key in valid}
        return replace(found, logits=kept)

    @cached_property
    def sharpness(self) -> dict[str, Sharpness]:
        """The sharpness of every set of tiles that was measured, by title."""
        return read_sharpness(self)

    @cached_property
    def sharpness_pairs(self) -> pd.DataFrame:
        """How well sharpness tells every two sets of tiles apart."""
        return pairs(self.sharpness)

    @cached_property
    def heads(self) -> pd.DataFrame:
        """Linear heads on frozen features, one per line; see :mod:`sdlib.results.linear_heads`."""
        return read_heads(self)

    @cached_property
    def source_heads(self) -> pd.DataFrame:
        """How well linear heads tell the source of a film, one line per source."""
        return read_source_heads(self)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """Every trial of the experiment's searches, one per line."""
        return trial_table(self)
