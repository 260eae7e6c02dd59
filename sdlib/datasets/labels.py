"""Which labels of a manifest are positive: 0 and 1, or the words that the user names.

A manifest may write ``tumour`` and ``benign``. One or several of its words are named as positive,
and every other is negative. A word that is named and is not there is an error: misspelt, it would
turn positive images into negative ones without a sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sdlib.datasets.group_names import canonical
from sdlib.errors import ConfigError, DataError

__all__ = ["Classes", "binary_labels", "check_classes"]

# Spreadsheets and data frames may write whole numbers with a decimal point.
NUMBERS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
MOST_NAMED = 10  # labels in an error
LONGEST = 40  # characters of a label in an error


@dataclass(frozen=True)
class Classes:
    """What a manifest calls its two classes.

    Parameters
    ----------
    negative, positive : tuple of str
        The labels of each class as they are written, sorted; empty where the manifest writes 0
        and 1.

    Examples
    --------
    >>> classes = Classes(("benign", "normal"), ("tumour",))
    >>> str(classes), classes.names
    ('positive: tumour; negative: benign, normal', ('benign, normal', 'tumour'))
    >>> str(Classes()), Classes().names
    ('positive: 1; negative: 0', ('negative', 'positive'))
    """

    negative: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        """What to call images of target 0 and of target 1."""
        return (", ".join(self.negative) or "negative", ", ".join(self.positive) or "positive")

    def __str__(self) -> str:
        if self == Classes():
            return "positive: 1; negative: 0"
        positive, negative = (
            ", ".join(names) or "none" for names in (self.positive, self.negative)
        )
        return f"positive: {positive}; negative: {negative}"


def binary_labels(
    labels: pd.Series, positive: str | Sequence[str] | None, place: str
) -> tuple[pd.Series, Classes]:
    """Turn labels into targets, and tell what the classes are called.

    Parameters
    ----------
    labels : pandas.Series
        Text, indexed by row number.
    positive : str, sequence of str or None
        The labels that are positive. Each is a label, or several with commas between them.
        Capitals, and decimal points of whole numbers, make no difference. None expects 0 and 1.
    place : str
        The table, for errors.

    Returns
    -------
    targets : pandas.Series
        int64, 0 negative, 1 positive, with the same index.
    classes : Classes
        The labels of each class.

    Raises
    ------
    ConfigError
        If ``positive`` is no text, names nothing, or names a label that is not there.
    DataError
        If a label is neither 0 nor 1 and ``positive`` is None.

    Examples
    --------
    >>> labels = pd.Series(["benign", "Tumour", "tumour"], index=[2, 3, 4])
    >>> targets, classes = binary_labels(labels, "tumour", "manifest.csv")
    >>> targets.tolist(), str(classes)
    ([0, 1, 1], 'positive: Tumour, tumour; negative: benign')
    """
    if positive is None:
        for number, label in labels.items():
            if label not in NUMBERS:
                raise DataError(
                    f"expected label in {{0, 1}}, got {label} in row {number} of {place}: write "
                    f"0 for negative and 1 for positive, or name the positive among the labels "
                    f"that there are ({_listed(labels)}): --positive {_last(labels)} on the "
                    f"command line, positive={_last(labels)!r} in Python"
                )
        return labels.map(NUMBERS).astype(np.int64), Classes()
    wanted = _wanted(positive, labels, place)
    is_positive = labels.map(_plain).isin(wanted)
    classes = Classes(
        tuple(sorted(set(labels[~is_positive]))), tuple(sorted(set(labels[is_positive])))
    )
    return is_positive.astype(np.int64), classes


def check_classes(targets: pd.Series, classes: Classes, place: str) -> None:
    """Raise an error if all rows are of one class; no rows at all pass.

    Parameters
    ----------
    targets : pandas.Series
        0 or 1.
    classes : Classes
        What they are called.
    place : str
        The rows, for errors.

    Raises
    ------
    DataError
        There is one class only.

    Examples
    --------
    >>> check_classes(pd.Series([0, 1]), Classes(), "manifest.csv")
    """
    only = set(targets)
    if len(only) != 1:
        return
    if classes == Classes():
        wanted, found = "both labels 0 and 1", f"only {only.pop()}"
    else:
        wanted = "positive and negative labels"
        found = "only negative ones" if only == {0} else "only positive ones"
        found = f"{found} ({classes})"
    raise DataError(f"expected {wanted} in {place}, got {found}: a classifier needs both classes")


def _wanted(positive: str | Sequence[str], labels: pd.Series, place: str) -> set[str]:
    """Plain forms of the labels that are named as positive; all of them are there."""
    named = [positive] if isinstance(positive, str) else positive
    if not isinstance(named, Sequence) or not all(isinstance(name, str) for name in named):
        raise ConfigError(
            f"expected positive to be a label or several, such as 'tumour', got {positive!r}"
        )
    known = set(labels.map(_plain))
    wanted = set()
    for text in named:
        # A label may have a comma itself.
        parts = [text] if _plain(text) in known else text.split(",")
        for part in filter(None, map(_plain, parts)):
            if part not in known:
                raise ConfigError(
                    f"expected the positive label {part} among the labels of {place}, got "
                    f"{_listed(labels)}: name one of these"
                )
            wanted.add(part)
    if not wanted:
        raise ConfigError(
            f"expected the name of a positive label, got none: name one of {_listed(labels)}"
        )
    return wanted


def _plain(label: str) -> str:
    """A label as labels are compared."""
    return canonical(label).casefold()


def _listed(labels: Iterable[str]) -> str:
    """The labels that there are, each once; of very many the first."""
    names = [_short(name) for name in sorted(set(labels))]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _last(labels: Iterable[str]) -> str:
    """The label that sorts last, as an example: tumour of benign and tumour."""
    return _short(max(labels))


def _short(label: str) -> str:
    """The beginning of a label that would fill the screen."""
    return label if len(label) <= LONGEST else f"{label[:LONGEST]}..."
