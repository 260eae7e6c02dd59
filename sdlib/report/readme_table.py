"""README's table of results, made from recorded rows and never by hand.

``python -m sdlib.report.readme_table`` rewrites the part of README.md between its two markers.
"""

from __future__ import annotations

from pathlib import Path

from sdlib import experiments, results
from sdlib.errors import DataError
from sdlib.experiments import EXPERIMENTS, PROFILES, SOURCES, trials as tuning
from sdlib.files import atomic_path
from sdlib.metrics import mean_interval
from sdlib.paths import ROOT
from sdlib.results import sweeps

__all__ = ["glance", "rewrite"]

MARKERS = ("<!-- results -->", "<!-- /results -->")
HEADLINE = (
    "weight_decay",
    "weight_decay_test_tuned",
    "sd_eq2",
    "sd_eq2_test_tuned",
    "control",
    "weight_decay_none",
    "sd_eq1_none",
    "weight_decay_uniform",
    "sd_eq1_uniform",
)


def glance() -> str:
    """A Markdown table with a line for each experiment, source and profile that git holds.

    Accuracy is balanced, on the test split, mean and SD over seeds; where an experiment is swept,
    its mean over all levels of shift follows. Minutes are the sum of all
    trainings, searches included, each on the hardware named (which may have been busy otherwise).

    >>> glance().splitlines()[0].startswith("| experiment")
    True
    """
    lines = [
        "| experiment | arm: test accuracy (SD) | runs + trials | minutes | hardware | command |",
        "|---|---|---|---|---|---|",
    ]
    for experiment, definition in EXPERIMENTS.items():
        for source in SOURCES:
            for profile in PROFILES:
                rows = results.rows(experiment, profile, source)
                if not len(rows):
                    continue
                means, swept = [], _over_all_levels(experiment, profile, source)
                for arm in definition.arms:
                    values = rows.loc[rows["arm"] == arm.name, "test.accuracy"]
                    if arm.name in HEADLINE and len(values):
                        spread = mean_interval(values.to_numpy())
                        shifted = f"; shifted {swept[arm.name]:.3f}" if arm.name in swept else ""
                        means.append(f"{arm.label}: {spread.mean:.3f} ({spread.sd:.3f}){shifted}")
                threads = rows["threads"].astype(str)
                hardware = ", ".join(sorted(set(rows["device"] + ", threads: " + threads)))
                searched = [
                    trial["seconds"]
                    for search in experiments.searches(experiment, profile, source)
                    for trial in tuning.trials(search, recorded=True)
                    if "trained_as" not in trial
                ]
                minutes = (rows["seconds"].sum() + sum(searched)) / 60
                command = f"make reproduce PROFILE={profile} SOURCE={source} FRESH=1"
                lines.append(
                    f"| {experiment}, {source}, {profile} | {'<br>'.join(means) or '-'} "
                    f"| {len(rows)} + {len(searched)} | {minutes:.0f} | {hardware} | `{command}` |"
                )
    return "\n".join(lines)


def _over_all_levels(experiment: str, profile: str, source: str) -> dict[str, float]:
    """Mean accuracy over seeds and levels, by arm; empty where nothing was swept."""
    if not EXPERIMENTS[experiment].swept:
        return {}
    table = sweeps.accuracies(experiment, profile, source)
    shifted = table[table["shift"] != sweeps.CLEAN]
    return shifted.groupby("arm")["accuracy"].mean().to_dict()


def rewrite(readme: Path = ROOT / "README.md") -> str:
    """Put today's table between README's markers; returns the new text.

    Raises
    ------
    DataError
        A marker is missing.
    """
    text = readme.read_text()
    if not all(marker in text for marker in MARKERS):
        raise DataError(f"expected the markers {MARKERS} in {readme.name}")
    before, rest = text.split(MARKERS[0])
    after = rest.split(MARKERS[1])[1]
    text = f"{before}{MARKERS[0]}\n{glance()}\n{MARKERS[1]}{after}"
    with atomic_path(readme) as temporary:
        temporary.write_text(text)
    return text


if __name__ == "__main__":
    rewrite()
