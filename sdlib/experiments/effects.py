"""Effects: what an experiment says in one number, for the book's first page.

A claim may have many comparisons. An effect is one difference of spectral decoupling and weight
decay that a reader should know first.
"""

from __future__ import annotations

from dataclasses import dataclass

from sdlib.experiments.comparisons import Statistic

__all__ = ["Effect"]


@dataclass(frozen=True)
class Effect:
    """One difference, spectral decoupling minus weight decay, that the first page shows.

    Parameters
    ----------
    situation : str
        What the networks meet, such as ``squares betray the class``: a heading.
    metric : str
        Such as ``accuracy``.
    statistic : callable
        A place to what was measured there, as a comparison has it; with an interval over seeds.
    equation : int
        1 or 2: which penalty.
    chapter : str
        The chapter that shows more, relative to ``book`` and without its ending.
    paper : float
        The paper's difference as a fraction; NaN where it prints none.
    premise : callable, optional
        A statistic whose interval must lie above 0: without it nothing is said at a place.
    missing : str
        What was measured where the premise does not hold; the number is added to it.

    Examples
    --------
    >>> from sdlib.experiments import EXPERIMENTS
    >>> first, second, *_ = EXPERIMENTS["cutout"].effects
    >>> first.situation, first.metric, second.metric
    ('squares betray the class', 'accuracy', 'AUROC')
    """

    situation: str
    metric: str
    statistic: Statistic
    equation: int
    chapter: str
    paper: float = float("nan")
    premise: Statistic | None = None
    missing: str = ""
