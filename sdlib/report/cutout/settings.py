"""What the arms of the cutout experiment were trained with."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sdlib.results import Place

__all__ = ["setting_table"]

VALUES = ("lam", "gamma", "weight_decay")


def setting_table(place: Place) -> pd.DataFrame:
    """The values that every arm was trained with, its training set and its search.

    Parameters
    ----------
    place : Place
        Of ``cutout``.

    Returns
    -------
    pandas.DataFrame
        One line per arm of the experiment. Values of its rows, which for a searched arm are those
        that its search ended with; of its definition where it has no rows. Pairs are (benign,
        cancer); an empty text where a value is zero or not used.
    """
    lines = {}
    for arm in place.definition.arms:
        used = place.setting(arm.name) if arm.name in place.arms else {}
        line = {}
        for name in VALUES:
            value = used.get(name) or getattr(arm, name)
            line[name] = np.round(value, 6).tolist() if value else ""
        training = arm.training or place.definition.training
        line["trained on"] = training.prepare.name
        line["search"] = arm.search or "none"
        lines[arm.label] = line
    return pd.DataFrame(lines).T
