"""What one recorded file cannot hold: results of this machine beside older ones of other images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sdlib.errors import DataError
from sdlib.experiments.profiles import scale_options
from sdlib.results.key import RECORDED, PlaceKey
from sdlib.results.rows import rows_of_today

__all__ = ["check_none_kept"]


def check_none_kept(own: PlaceKey, kept: Collection[tuple[str, int]], what: str) -> None:
    """Raise a DataError if a row that stays recorded would lose what is recorded beside it.

    Stale rows do not count: no page shows what is recorded beside them.

    Parameters
    ----------
    own : PlaceKey
        This machine's place, whose results are to be recorded.
    kept : collection of (arm, seed)
        Whose recorded results do not fit this machine's.
    what : str
        What does not fit, such as ``images of the cohort test``.
    """
    names = [
        f"{own.experiment}/{row['arm']}/seed{row['seed']}"
        for row in rows_of_today(replace(own, origin=RECORDED))
        if (row["arm"], row["seed"]) in kept
    ]
    if names:
        command = f"python -m sdlib run {names[0]} {scale_options(own.profile, own.source)}"
        raise DataError(
            f"the {what} are not the same here as where {names[0]} was recorded ({len(names)} such "
            f"rows would be kept), and one file cannot hold both: run these here, too, from "
            f"`{command}` on, and record again"
        )
