"""What README and the book's first page say of results: made from recorded rows, never by hand.

``python -m sdlib.report.readme_table`` rewrites the parts of both between their markers, and the
first page's picture.
"""

from __future__ import annotations

from pathlib import Path

from sdlib.datasets.sources import SOURCES
from sdlib.errors import DataError
from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.files import atomic_path
from sdlib.markdown import as_markdown
from sdlib.paths import ROOT
from sdlib.report.cutout.equal_access import access_table
from sdlib.report.effects import effect_sentences, overview_sentence, recorded_effects
from sdlib.report.effects_figure import save_figure
from sdlib.results import MAIN_PROFILE, Place
from sdlib.results.rows import shares_training
from sdlib.results.sweeps import CLEAN

__all__ = [
    "PICTURE",
    "between",
    "index_effects",
    "index_numbers",
    "index_table",
    "readme_table",
    "rewrite",
]

PICTURE = ROOT / "book" / "images" / "effects.svg"
HEADINGS = (
    "experiment",
    "arm: test accuracy (SD)",
    "runs + trials",
    "minutes",
    "hardware",
    "command",
)


def readme_table() -> str:
    """A Markdown table with a line for each experiment, source and profile that git holds.

    Accuracy is balanced, on the test split, mean and SD over seeds; where an experiment is swept,
    its mean over all levels of shift follows. Stale rows are in no mean, but cost what they cost:
    minutes are the sum of all trainings, searches included, each on the hardware named (which may
    have been busy otherwise).

    >>> readme_table().splitlines()[0].startswith("| experiment")
    True
    """
    lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    for experiment in EXPERIMENTS:
        for source in SOURCES:
            for profile in PROFILES:
                place = Place(experiment, profile, source)
                if len(place.all_rows):
                    lines.append(f"| {' | '.join(_cells(place))} |")
    return "\n".join(lines)


def _cells(place: Place) -> list[str]:
    """The cells of a place's line."""
    shifted = _over_all_levels(place)
    means = []
    for arm in place.definition.arms:
        spread = place.interval("test.accuracy", arm.name)
        if not arm.headline or spread is None:
            continue
        text = f"{arm.label}: {spread.mean:.3f} ({spread.sd:.3f})"
        if arm.name in shifted:
            text += f"; shifted {shifted[arm.name]:.3f}"
        means.append(text)
    trained = place.all_rows  # stale ones have cost time, too
    trials = place.trials[~place.trials["reused"]]
    # A training that two arms share counts once.
    seconds = trained["seconds"][~shares_training(trained)].sum() + trials["seconds"].sum()
    devices = sorted(set(trained["device"] + ", threads: " + trained["threads"].astype(str)))
    return [
        f"{place.experiment}, {place.source}, {place.profile}",
        "<br>".join(means) or "-",
        f"{len(trained)} + {len(trials)}",
        f"{seconds / 60:.0f}",
        ", ".join(map(as_markdown, devices)),
        f"`make reproduce PROFILE={place.profile} SOURCE={place.source} FRESH=1`",
    ]


def _over_all_levels(place: Place) -> dict[str, float]:
    """Mean accuracy on shifted test tiles over seeds and levels, by arm; empty where none were."""
    sweep = place.definition.sweep
    if sweep is None or sweep.cohort != "test":
        return {}
    table = place.sweep.accuracy()
    shifted = table[table["shift"] != CLEAN]
    return shifted.groupby("arm")["accuracy"].mean().to_dict()


def index_table() -> str:
    """A Markdown table for the book's first page: the strongest result and its doubts.

    Equation 2 with the paper's own values minus weight decay, on every tissue that has recorded
    rows of the main profile, with equal access to labels.

    >>> index_table().splitlines()[0].startswith("| Equation 2")
    True
    """
    places = [Place("cutout", MAIN_PROFILE, source) for source in SOURCES]
    table = access_table(places)
    titles = {place.name: SOURCES[place.source].title for place in places}
    headings = [titles.get(column, "the paper") for column in table.columns]
    lines = [f"| Equation 2 minus weight decay | {' | '.join(headings)} |"]
    lines.append("|---" * (len(headings) + 1) + "|")
    for heading, cells in table.iterrows():
        lines.append(f"| {heading} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def index_effects() -> str:
    """What the book's first page says was found: where spectral decoupling helps, and where not.

    >>> index_effects().startswith("In ")
    True
    """
    return overview_sentence(recorded_effects())


def index_numbers() -> str:
    """The numbers behind it, for the first page's fold: a list by situation and place.

    >>> index_numbers().startswith("- [")
    True
    """
    return effect_sentences(recorded_effects())


def _parts(page: Path, name: str) -> tuple[str, str, str]:
    """A page's text before, between and after the markers of one name.

    Raises
    ------
    DataError
        A marker is missing, or they are in the wrong order.
    """
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(first)
    inside, closed, after = rest.partition(last)
    if not (found and closed):
        raise DataError(f"expected the markers {first} and {last}, in this order, in {page.name}")
    return before + first, inside.strip(), last + after


def between(page: Path, name: str) -> str:
    """What a page has between the markers ``<!-- name -->`` and ``<!-- /name -->``.

    Raises
    ------
    DataError
        A marker is missing, or they are in the wrong order.
    """
    return _parts(page, name)[1]


def _replace(page: Path, name: str, text: str) -> None:
    """Put a text between a page's markers."""
    before, _, after = _parts(page, name)
    with atomic_path(page) as temporary:
        temporary.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def rewrite(
    readme: Path = ROOT / "README.md",
    index: Path = ROOT / "book" / "index.md",
    picture: Path = PICTURE,
) -> None:
    """Put what today's rows say into README and the book's first page, and draw its picture.

    Raises
    ------
    DataError
        A marker is missing, or they are in the wrong order.
    """
    _replace(readme, "results", readme_table())
    _replace(index, "effects", index_effects())
    _replace(index, "numbers", index_numbers())
    _replace(index, "results", index_table())
    save_figure(recorded_effects(), picture)


if __name__ == "__main__":
    rewrite()
