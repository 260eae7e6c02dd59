"""Which places a page shows: recorded results and this machine's, side by side."""

from __future__ import annotations

import os

from sdlib.datasets.sources import SOURCES
from sdlib.errors import ConfigError
from sdlib.experiments import EXPERIMENTS, PROFILES
from sdlib.markdown import as_markdown
from sdlib.results.key import ORIGINS, RECORDED, THIS_RUN
from sdlib.results.place import Place

__all__ = ["MAIN_PROFILE", "columns", "everywhere", "sentence", "shown"]

MAIN_PROFILE = "laptop"  # the one whose rows the book records


def sentence(place: Place) -> str:
    """What rows there are at a place, or what is missing and how to get it."""
    definition = place.definition
    if place.profile not in definition.profiles or not definition.runs_on(place.source):
        return (
            f"{place.name}: {place.experiment} is not run there. It has the profiles "
            f"{', '.join(definition.profiles)} on "
            f"{', '.join(definition.sources) or 'folders of your own'}."
        )
    if not len(place.rows):
        left_out = f" ({place.stale} stale left out)" if place.stale else ""
        return f"{place.name}: no rows{left_out}. They come from: `{place.command}`"
    devices = " and ".join(as_markdown(one) for one in sorted(place.rows["device"].unique()))
    stale = f"; {place.stale} stale rows left out" if place.stale else ""
    return (
        f"{place.name}: {len(place.rows)} runs, {len(place.arms)} arms, up to {place.seeds} seeds, "
        f"{place.seconds / 3600:.2f} hours on {devices}{stale}."
    )


def columns(experiment: str, profile: str, source: str) -> list[Place]:
    """The columns of the book's tables: what is recorded, then this machine's own rows.

    The rows that the book records on ``phantom`` and ``open`` are always among them where the
    experiment is run there, to say so if they are missing; other recorded rows if there are any.

    >>> [column.name for column in columns("cutout", "quick", "phantom")][-1]
    'this run: phantom, quick'
    """
    main = EXPERIMENTS[experiment].recorded_at
    sources = [name for name in ("phantom", "open") if name in EXPERIMENTS[experiment].sources]
    standard = [Place(experiment, main, name) for name in sources]
    others = [Place(experiment, p, s) for p in PROFILES for s in SOURCES]
    there = [p for p in others if p not in standard and os.path.exists(p.recorded_file(".jsonl"))]
    return [*standard, *there, Place(experiment, profile, source, THIS_RUN)]


def everywhere(profile: str, source: str) -> list[Place]:
    """The places of all experiments, each once.

    A place is given as the first experiment's that has rows there; :meth:`Place.of` leads to the
    others'.

    >>> everywhere("quick", "phantom")[-1].name
    'this run: phantom, quick'
    """
    found: dict[str, Place] = {}
    for experiment in EXPERIMENTS:
        for place in columns(experiment, profile, source):
            known = found.setdefault(place.name, place)
            if place.arms and not known.arms:
                found[place.name] = place
    return sorted(found.values(), key=lambda place: not place.recorded)


def shown(experiment: str, profile: str, source: str, figures: str = RECORDED) -> Place:
    """The place whose rows a chapter's figures are drawn from: the first of these with rows.

    Recorded at this profile and source; recorded at the book's own profile on this source; this
    machine's own; recorded on phantom tissue. With ``figures="this run"`` this machine's own rows
    come first. Without any rows, this machine's own place is returned, to say what is missing.
    Where the experiment is not run at this profile, the book's own takes its place.

    Raises
    ------
    ConfigError
        ``figures`` is neither ``recorded`` nor ``this run``.
    """
    if figures not in ORIGINS:
        raise ConfigError(f"expected figures as one of {ORIGINS}, got {figures!r}")
    main = EXPERIMENTS[experiment].recorded_at
    if profile not in EXPERIMENTS[experiment].profiles:
        profile = main
    own = Place(experiment, profile, source, THIS_RUN)
    recorded = [Place(experiment, p, source) for p in dict.fromkeys((profile, main))]
    order = [*recorded, own] if figures == RECORDED else [own, *recorded]
    order.append(Place(experiment, main, "phantom"))
    return next((place for place in order if place.arms), own)
