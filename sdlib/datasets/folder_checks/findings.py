"""What a check of a folder has found: sentences in three grades, and how they are printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "FolderReport", "Grade", "counted", "listed"]

MOST_LISTED = 5  # rows, names or values in one sentence; the others are counted


class Grade(StrEnum):
    """How grave a finding is.

    Examples
    --------
    >>> [str(grade) for grade in Grade]
    ['must be mended', 'look at this', 'fine']
    """

    MEND = "must be mended"
    LOOK = "look at this"
    FINE = "fine"


@dataclass(frozen=True)
class Finding:
    """One thing that a check has found.

    Parameters
    ----------
    grade : Grade
        How grave it is.
    check : str
        What was checked, in a word or two, such as ``splits``.
    sentence : str
        What was found and what to do about it, in plain text. It may repeat the manifest's own
        words, so that a page has to escape it.
    rows : tuple of int
        The manifest's rows that it is about, the header being row 1; empty where it is about all.

    Examples
    --------
    >>> print(Finding(Grade.FINE, "groups", "12 images are of 6 groups."))
    groups: 12 images are of 6 groups.
    """

    grade: Grade
    check: str
    sentence: str
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.check}: {self.sentence}"


@dataclass(frozen=True)
class FolderReport:
    """All that the checks of a folder have found.

    ``str()`` gives the findings by grade, then the summary.

    Parameters
    ----------
    findings : tuple of Finding
        In the order of the checks.
    counted : str
        How many images, positive ones and groups there are.

    Examples
    --------
    >>> found = Finding(Grade.LOOK, "groups", "All images are of one group.")
    >>> report = FolderReport((found,), "12 images")
    >>> print(report)
    look at this
      groups: All images are of one group.
    <BLANKLINE>
    12 images: nothing must be mended, 1 thing to look at, 0 fine.
    >>> report.usable
    True
    """

    findings: tuple[Finding, ...]
    counted: str

    @property
    def usable(self) -> bool:
        """Whether nothing must be mended."""
        return all(finding.grade != Grade.MEND for finding in self.findings)

    @property
    def summary(self) -> str:
        """The last sentence: what there is, and how many findings of each grade."""
        grades = Counter(finding.grade for finding in self.findings)
        mend = counted(grades[Grade.MEND], "thing") if grades[Grade.MEND] else "nothing"
        look = counted(grades[Grade.LOOK], "thing") if grades[Grade.LOOK] else "nothing"
        return (
            f"{self.counted}: {mend} must be mended, {look} to look at, {grades[Grade.FINE]} fine."
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every finding as a line, the gravest first, then the summary."""
        by_grade = [
            f"{grade}: {finding}"
            for grade in Grade
            for finding in self.findings
            if finding.grade == grade
        ]
        return (*by_grade, self.summary)

    def __str__(self) -> str:
        lines = []
        for grade in Grade:
            found = [f"  {finding}" for finding in self.findings if finding.grade == grade]
            if found:
                lines += [str(grade), *found, ""]
        return "\n".join([*lines, self.summary])


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    Examples
    --------
    >>> counted(1, "image"), counted(1200, "image"), counted(2, "copy", "copies")
    ('1 image', '1,200 images', '2 copies')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[object], most: int = MOST_LISTED) -> str:
    """The first names of a list, and how many more there are.

    Examples
    --------
    >>> listed(["a.png", "b.png"]), listed(range(8), most=3)
    ('a.png, b.png', '0, 1, 2 and 5 more')
    """
    shown = ", ".join(str(name) for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
