"""What the source tells of the label in the real films: ``python -m sdlib.report.real_film_sets``.

The films are not part of the project. The command counts them once and keeps the counts among the
recorded results, which pages read.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from sdlib.datasets.open_cxr import SITUATIONS, load_open_cxr
from sdlib.errors import DataError, SdlibError
from sdlib.files import atomic_path
from sdlib.paths import recorded_folder
from sdlib.report.covid.cross_table import source_table

__all__ = ["count_real_sets", "read_real_sets", "real_sets_file"]

VIEW = "AUROC of the view"
SIZE = 32  # px: only labels and sources are looked at
COLUMNS = ("set", "images", "groups", "sources", "mixed", "AUROC of the source", VIEW)


def real_sets_file() -> Path:
    """Where the counts are recorded."""
    return recorded_folder() / "real-film-sets.csv"


def count_real_sets() -> pd.DataFrame:
    """Count the films of every set of the folder ``open-cxr``.

    Returns
    -------
    pandas.DataFrame
        As :func:`sdlib.report.covid.cross_table.source_table`: one line per situation and part, and
        one for the films outside; with one column more, how well the view alone predicts the label.

    Raises
    ------
    DataError
        The folder is not at hand.
    """
    sets = {
        f"{situation}, {part}": load_open_cxr(part, size=SIZE, situation=situation)
        for situation in SITUATIONS
        for part in ("train", "test")
    }
    sets["outside, test"] = load_open_cxr("test", size=SIZE, place="outside")
    views = source_table(sets, "view")
    return source_table(sets).assign(**{VIEW: views["AUROC of the source"]})


def read_real_sets() -> pd.DataFrame:
    """The recorded counts; without lines where there are none.

    Raises
    ------
    DataError
        The file is not as it was written.
    """
    file = real_sets_file()
    if not file.exists():
        return pd.DataFrame(columns=COLUMNS)
    found = pd.read_csv(file)
    if tuple(found.columns) != COLUMNS:
        raise DataError(
            f"expected the columns {', '.join(COLUMNS)} in {file}, got "
            f"{', '.join(found.columns)}: restore it with git checkout"
        )
    return found


def main() -> None:
    """Count the films and record the counts."""
    try:
        counts = count_real_sets()
    except SdlibError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    with atomic_path(real_sets_file()) as temporary:
        counts.to_csv(temporary, index=False)
    print(counts.to_string(index=False))


if __name__ == "__main__":
    main()
