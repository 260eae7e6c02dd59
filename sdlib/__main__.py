"""The command line: ``python -m sdlib``. Every error is one sentence and exit status 2."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from sdlib.datasets.folder_names import whole_name
from sdlib.errors import run_command_line
from sdlib.report.own_data.command import compare


class Commands(TyperGroup):
    """All commands: an error raised on purpose ends any of them, or the reading of its options."""

    def invoke(self, context: typer.Context) -> None:
        """Run the command that the arguments name."""
        run_command_line(functools.partial(super().invoke, context))


app = typer.Typer(
    cls=Commands,
    help="Train, search, record and check the experiments of the book.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ProfileOption = Annotated[str, typer.Option(help="smoke, quick, laptop, long, gpu or paper")]
SourceOption = Annotated[
    str, typer.Option(help="phantom, open, pcam, camelyon17, ..., folder:PATH", callback=whole_name)
]
DevicesOption = Annotated[
    int | None,
    typer.Option(help="GPUs, or CPU cores where there is none, to train on; 1 by default"),
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="begin anew, whatever is there")]
PositiveOption = Annotated[list[str] | None, typer.Option(help="a positive label, such as tumour")]


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@app.command("list")
def list_runs(
    experiment: Annotated[str, typer.Option(help="only this experiment")] = "",
    profile: ProfileOption = "quick",
    source: SourceOption = "phantom",
) -> None:
    """Every run id, and whether its row is recorded, on this machine, stale here, or not there."""
    from sdlib.experiments import EXPERIMENTS, runs_of
    from sdlib.results import is_recorded, own_state

    for name in [experiment] if experiment else EXPERIMENTS:
        for run in runs_of(name, profile, source):
            states = ("recorded" if is_recorded(run) else "", own_state(run))
            print(f"{run.id:<44} {', '.join(filter(None, states)) or '-'}")


@app.command()
def run(
    run_id: Annotated[str, typer.Argument(help="such as cutout/sd_eq2/seed3")],
    profile: ProfileOption = "quick",
    source: SourceOption = "phantom",
    fresh: FreshOption = False,
    devices: DevicesOption = None,
) -> None:
    """Train and evaluate one run; a killed run goes on where it stopped."""
    from sdlib.experiments import parse_run
    from sdlib.training import launch

    row = launch.execute(parse_run(run_id, profile, source), fresh, _log, devices)
    if row is None:  # of several processes that torchrun has started, one reports
        return
    test = row["metrics"]["test"]
    print(f"{run_id}: test accuracy {test['accuracy']:.3f}, recall {test['recall']:.3f}")


@app.command()
def search(
    search_id: Annotated[str, typer.Argument(help="such as cutout/sd_eq2")],
    profile: ProfileOption = "quick",
    source: SourceOption = "phantom",
    fresh: FreshOption = False,
) -> None:
    """Search an arm's values: the paper's grid or Bayesian optimisation; resumable."""
    from sdlib.experiments import parse_search, trials
    from sdlib.training import search as searching

    wanted = parse_search(search_id, profile, source)
    searching.execute(wanted, fresh, _log)
    print(f"{search_id}: {trials.best(wanted)}")


@app.command()
def measure(
    name: Annotated[str, typer.Argument(help="such as robustness/sweep")],
    profile: ProfileOption = "quick",
    source: SourceOption = "phantom",
) -> None:
    """Measure networks or tiles beyond the metrics of rows, such as accuracy under shift."""
    from sdlib.errors import ConfigError
    from sdlib.experiments import EXPERIMENTS, check_names, experiment_of

    experiment, _, measurement = name.partition("/")
    if not measurement:
        known = [
            f"{one.name}/{m.name}"
            for one in EXPERIMENTS.values()
            for m in one.measurements
            if not m.per_run
        ]
        raise ConfigError(f"expected a measurement, one of: {', '.join(known)}; got {name!r}")
    check_names(experiment, profile, source)
    found = experiment_of(experiment).measurement(measurement)
    if found.per_run:
        raise ConfigError(f"{name} is measured at the end of every run: python -m sdlib run")
    print(found.make()(experiment, profile, source, _log))


@app.command()
def record(
    experiment: Annotated[str, typer.Argument(help="such as cutout; or lab")],
    profile: ProfileOption = "laptop",
    source: SourceOption = "phantom",
) -> None:
    """Copy this machine's rows, predictions, trials and measurements to data/results."""
    if experiment == "lab":
        from sdlib.errors import ConfigError
        from sdlib.lab import sources

        if source != sources.SOURCE:
            raise ConfigError(
                "expected no --source with lab, whose networks are trained on "
                f"{sources.SOURCE} images, got {source!r}: leave it out"
            )
        print(f"{sources.record(profile)} bytes of networks recorded")
        return
    from sdlib import results

    for sentence in results.record(experiment, profile, source):
        print(sentence)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="a data set; an unknown name lists those there are")],
) -> None:
    """Download a public data set with its published hashes, or print how to request it."""
    from sdlib.datasets.fetch import fetch as download, steps_by_hand

    steps = steps_by_hand(name)
    if steps:
        print("\n".join(steps))
        raise typer.Exit(1)  # no error, but nothing is there yet
    print(download(name, log=_log))


@app.command()
def check(
    folder: Annotated[str, typer.Argument(help="a folder with manifest.csv, or of shards")],
    positive: PositiveOption = None,
) -> None:
    """Read a folder of your own images, or of shards, and say what is wrong or odd."""
    from sdlib.datasets.folder_checks import check_folder
    from sdlib.datasets.shards import INDEX_FILE, check_shards

    if (Path(folder) / INDEX_FILE).is_file():
        print(check_shards(folder))
        return
    report = check_folder(folder, positive or None, _log)
    print(report)
    if not report.usable:
        raise typer.Exit(2)


@app.command()
def audit(
    folder: Annotated[str, typer.Argument(help="a folder with manifest.csv")],
    column: Annotated[str, typer.Option(help="the manifest's column that tells it")] = "source",
    size: Annotated[int, typer.Option(help="side in pixels that images are read with")] = 224,
    positive: PositiveOption = None,
) -> None:
    """Tell whether the source of your images predicts their label, and shows in them."""
    from sdlib.report.covid.audit import audit_sources

    print(audit_sources(folder, column, size=size, positive=positive or None, log=_log))


app.command("compare")(compare)


@app.command()
def tile(
    slides: Annotated[str, typer.Argument(help="a folder of whole slides, or one slide")],
    out: Annotated[str, typer.Argument(help="the folder of shards, made if it is missing")],
    size: Annotated[int, typer.Option(help="side of a tile in pixels")] = 512,
    overlap: Annotated[float, typer.Option(help="share that the next tile repeats")] = 0.2,
    mpp: Annotated[float | None, typer.Option(help="microns per pixel of tiles")] = None,
    border: Annotated[str, typer.Option(help="pad, shift or drop")] = "pad",
    max_background: Annotated[float, typer.Option(help="share of background, at most")] = 0.75,
    workers: Annotated[int | None, typer.Option(help="processes; one per core")] = None,
    resolution: Annotated[str | None, typer.Option(help="CSV with slide and mpp")] = None,
    groups: Annotated[str | None, typer.Option(help="CSV with slide and group (patient)")] = None,
    masks: Annotated[str | None, typer.Option(help="a folder with a mask per slide")] = None,
    positive: Annotated[str, typer.Option(help="masks' values of cancer, such as 3,4,5")] = "",
    negative: Annotated[str, typer.Option(help="masks' other values that count")] = "0",
    ignored: Annotated[str, typer.Option(help="masks' values that do not count")] = "",
    share: Annotated[float, typer.Option(help="cancer's share from which a tile has it")] = 0.1,
    damaged: Annotated[str, typer.Option(help="refuse or skip slides that fail")] = "refuse",
    changed: Annotated[
        str, typer.Option(help="refuse or recut slides replaced since, or whose masks were")
    ] = "refuse",
    unscanned: Annotated[
        str | None,
        typer.Option(help="parts without content: refuse or background; by default by format"),
    ] = None,
) -> None:
    """Cut whole slides into shards of tiles; a killed command goes on where it stopped."""
    from sdlib.checks import whole_numbers
    from sdlib.datasets.tiling import Tiling, tile_slides
    from sdlib.slides import LabelRule

    rule = None
    if positive or masks is not None:
        values = (whole_numbers(text) for text in (positive, negative, ignored))
        rule = LabelRule(*values, threshold=share)
    tiling = Tiling(size, overlap, mpp, border, max_background, rule=rule, unscanned=unscanned)
    inputs = (workers, resolution, damaged, masks, groups, changed)
    print(tile_slides(slides, out, tiling, *inputs, _log))


@app.command()
def doctor() -> None:
    """Versions, device, disk, data at hand, and what is missing."""
    from sdlib.pipeline.doctor import report

    print(report())


if __name__ == "__main__":
    app()
