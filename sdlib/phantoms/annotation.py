"""How tissue is labelled: by which rule, and with how many wrong labels.

The truth of a tile is known here. A reader of slides sees regions, outlines them, and tiles inherit
the label of the outline they lie in; so some benign tiles are called cancer, and some small foci
are missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdlib.checks import known
from sdlib.phantoms.chance import uniforms

__all__ = ["ANNOTATIONS", "Annotation", "annotate"]


@dataclass(frozen=True)
class Annotation:
    """A rule of labelling and its errors. The shares are ours; the paper gives none.

    Attributes
    ----------
    name, meaning : str
        Key in ``ANNOTATIONS``; how the labels came about.
    benign_as_cancer, cancer_as_benign : float
        Shares of benign and of cancerous tiles with the wrong label, 0 to 1.

    Examples
    --------
    >>> round(ANNOTATIONS["outlines"].best_accuracy, 3)
    0.884
    """

    name: str
    meaning: str
    benign_as_cancer: float = 0.0
    cancer_as_benign: float = 0.0

    @property
    def best_accuracy(self) -> float:
        """Balanced accuracy, by these labels, of someone who knows the truth of every tile.

        Half of the tissue is cancer. Of what is labelled cancer the share
        ``(1 - cancer_as_benign) / (1 - cancer_as_benign + benign_as_cancer)`` is.
        """
        true_cancer, false_cancer = 1 - self.cancer_as_benign, self.benign_as_cancer
        true_benign, false_benign = 1 - self.benign_as_cancer, self.cancer_as_benign
        recall = true_cancer / (true_cancer + false_cancer)
        specificity = true_benign / (true_benign + false_benign)
        return (recall + specificity) / 2


ANNOTATIONS = {
    annotation.name: annotation
    for annotation in (
        Annotation("consensus", "two observers in consensus: every label is right"),
        Annotation("outlines", "one observer, generous outlines, missed small foci", 0.20, 0.05),
        Annotation("regions", "whole regions of cancer, benign glands between included", 0.15),
    )
}


def annotate(targets: np.ndarray, seeds: np.ndarray, rule: str) -> np.ndarray:
    """Label tiles by a rule.

    Parameters
    ----------
    targets : numpy.ndarray
        int (n,), the truth: 0 benign, 1 cancer.
    seeds : numpy.ndarray
        int64 (n,), the tiles' seeds: the same tile always gets the same label.
    rule : str
        A key of ``ANNOTATIONS``.

    Returns
    -------
    numpy.ndarray
        int64 (n,), labels.

    Raises
    ------
    ConfigError
        An unknown rule.

    Examples
    --------
    >>> annotate(np.array([0, 1]), np.array([5, 6]), "consensus").tolist()
    [0, 1]
    """
    annotation = ANNOTATIONS[known("labels", rule, ANNOTATIONS)]
    wrong = np.where(targets == 1, annotation.cancer_as_benign, annotation.benign_as_cancer)
    turned = uniforms("annotation", seeds) < wrong
    return np.where(turned, 1 - targets, targets).astype(np.int64)
