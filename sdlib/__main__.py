"""The command line: ``python -m sdlib``. Every error is one sentence and exit status 2."""

from __future__ import annotations

import functools
import sys
from typing import Annotated

import typer

from sdlib.errors import SdlibError

app = typer.Typer(
    help="Train, search, record and check the experiments of the book.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ProfileOption = Annotated[str, typer.Option(help="smoke, quick, laptop, long or paper")]
SourceOption = Annotated[str, typer.Option(help="phantom, open or pcam")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="begin anew, whatever is there")]


def one_sentence(command):
    """Print an SdlibError as a sentence and exit with 2; other errors keep their traceback."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except SdlibError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(2) from None

    return wrapped


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@app.command("list")
@one_sentence
def list_runs(
    experiment: Annotated[str, typer.Option(help="only this experiment")] = "",
    profile: ProfileOption = "quick",
    source: SourceOption = "phantom",
) -> None:
    """Every run id, and whether its row is recorded, on this machine, or not there yet."""
    from sdlib import experiments, results

    for name in [experiment] if experiment else experiments.EXPERIMENTS:
        for run in experiments.runs(name, profile, source):
            state = "recorded" if results.is_recorded(run) else ""
            state = "this machine" if run.row_file.exists() else state
            print(f"{run.id:<44} {state or '-'}")


@app.command()
@one_sentence
def run(
    run_id: Annotated[str, typer.Argument(help="such as cutout/sd_eq2/seed3")],
    profile: ProfileOption = "quick",
    source: SourceOption = "phantom",
    fresh: FreshOption = False,
) -> None:
    """Train and evaluate one run; a killed run goes on where it stopped."""
    from sdlib import experiments
    from sdlib.training import run as running

    row = running.execute(experiments.parse_run(run_id, profile, source), fresh, _log)
    test = row["metrics"]["test"]
    print(f"{run_id}: test accuracy {test['accuracy']:.3f}, recall {test['recall']:.3f}")


@app.command()
@one_sentence
def search(
    search_id: Annotated[str, typer.Argument(help="such as cutout/sd_eq2")],
    profile: ProfileOption = "quick",
    source: SourceOption = "phantom",
    fresh: FreshOption = False,
) -> None:
    """Search an arm's values: the paper's grid or Bayesian optimisation; resumable."""
    from sdlib import experiments
    from sdlib.errors import ConfigError
    from sdlib.experiments import trials as tuning
    from sdlib.training import search as searching

    experiment, _, family = search_id.partition("/")
    found = [s for s in experiments.searches(experiment, profile, source) if s.family == family]
    if not found:
        known = ", ".join(s.id for s in experiments.searches(experiment, profile, source))
        raise ConfigError(f"unknown search {search_id!r}; expected one of: {known or 'none'}")
    searching.execute(found[0], fresh, _log)
    print(f"{search_id}: {tuning.best(found[0])}")


@app.command()
@one_sentence
def sweep(
    experiment: Annotated[str, typer.Argument(help="such as robustness")],
    profile: ProfileOption = "quick",
    source: SourceOption = "phantom",
) -> None:
    """Ask every trained network about every level of every shift; resumable."""
    from sdlib.results import sweeps

    sweeps.execute(experiment, profile, source, _log)
    found = sweeps.accuracies(experiment, profile, source, "this run")
    print(f"{experiment}: {found.groupby(['arm', 'seed']).ngroups} networks at every level")


@app.command()
@one_sentence
def sharpness(profile: ProfileOption = "quick", source: SourceOption = "phantom") -> None:
    """Measure how sharp the tiles of each scanner or stain cluster are."""
    from sdlib.results import sharpness as measuring

    print(measuring.execute(profile, source))


@app.command()
@one_sentence
def record(
    experiment: Annotated[str, typer.Argument(help="such as cutout; sharpness; lab")],
    profile: ProfileOption = "laptop",
    source: SourceOption = "phantom",
) -> None:
    """Copy this machine's rows, predictions, trials and sweep to data/results."""
    from sdlib import results
    from sdlib.results import sharpness as measuring, sweeps

    if experiment == "sharpness":
        print(measuring.record(profile, source))
        return
    if experiment == "lab":
        from sdlib.lab import sources

        print(f"{sources.record(profile)} bytes of networks recorded")
        return
    print(f"{results.record(experiment, profile, source)} rows recorded")
    if swept := sweeps.record(experiment, profile, source):
        print(f"the sweep of {swept} networks recorded")


@app.command()
@one_sentence
def fetch(name: Annotated[str, typer.Argument(help="such as pcam")]) -> None:
    """Download a public data set with its published hashes."""
    from sdlib.datasets.fetch import fetch as download

    print(download(name))


@app.command()
@one_sentence
def check(folder: Annotated[str, typer.Argument(help="a folder with manifest.csv")]) -> None:
    """Open a folder of your own images as a run would, decoding every image, and count."""
    from sdlib.datasets.manifest import ManifestDataset

    data = ManifestDataset(folder)
    for index in range(len(data)):
        data[index]
    cancer, groups = int(data.targets.sum()), len(set(data.groups))
    print(f"{len(data)} images, {cancer} of cancer, in {groups} groups: ready to use")


@app.command()
@one_sentence
def doctor() -> None:
    """Versions, device, disk, data at hand, and what is missing."""
    from sdlib.pipeline.doctor import report

    print(report())


if __name__ == "__main__":
    app()
