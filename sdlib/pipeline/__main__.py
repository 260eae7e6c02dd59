"""The steps of the graph as commands: what the Snakefile and the Makefile call.

``python -m sdlib.pipeline unlock | graph | show`` around the graph, and in it
``search | train | measure | execute | gate | build``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sdlib.errors import ConfigError, run_command_line
from sdlib.pipeline.processes import leave_on_request
from sdlib.pipeline.slurm import requeue_on_notice

app = typer.Typer(
    help="The steps of the graph; see the Snakefile.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@app.command()
def unlock() -> None:
    """Clear away what a killed snakemake left in this folder: its jobs and its lock."""
    from sdlib.pipeline.processes import unlock

    unlock(Path.cwd())


@app.command(context_settings={"ignore_unknown_options": True})
def graph(arguments: Annotated[list[str], typer.Argument(help="those of snakemake")]) -> None:
    """Run snakemake in this folder; Ctrl-C stops it and its jobs in one sentence."""
    from sdlib.pipeline.processes import run_graph

    raise typer.Exit(run_graph(arguments))


@app.command()
def search(
    search_id: Annotated[str, typer.Argument(help="such as cutout/sd_eq2")],
    profile: str = "quick",
    source: str = "phantom",
) -> None:
    """Search an arm's values; trials that are there are kept."""
    leave_on_request()
    requeue_on_notice()
    from sdlib.experiments import parse_search, trials
    from sdlib.training import search as searching

    wanted = parse_search(search_id, profile, source)
    searching.execute(wanted, log=_log)
    print(f"{search_id}: {trials.best(wanted)}")


@app.command()
def train(
    run_ids: Annotated[list[str], typer.Argument(help="such as cutout/sd_eq2/seed3")],
    profile: str = "quick",
    source: str = "phantom",
) -> None:
    """Make several runs in one process; rows that are there are kept."""
    leave_on_request()
    requeue_on_notice()
    from sdlib.experiments import parse_run
    from sdlib.pipeline import jobs

    jobs.train([parse_run(text, profile, source) for text in run_ids])


@app.command()
def measure(
    measurement_id: Annotated[str, typer.Argument(help="such as robustness/sweep")],
    profile: str = "quick",
    source: str = "phantom",
) -> None:
    """Measure networks or tiles beyond the metrics of rows."""
    requeue_on_notice()
    leave_on_request()
    from sdlib.experiments import check_names, experiment_of

    experiment, _, name = measurement_id.partition("/")
    check_names(experiment, profile, source)
    make = experiment_of(experiment).measurement(name).make()
    print(make(experiment, profile, source, _log))


@app.command()
def execute(
    chapter: Path,
    out: Path,
    profile: Annotated[str | None, typer.Option(help="given if the chapter declares it")] = None,
    source: Annotated[str | None, typer.Option(help="given if the chapter declares it")] = None,
    parameter: Annotated[list[str] | None, typer.Option("-p", help="name=value")] = None,
) -> None:
    """Execute CHAPTER and write the executed copy to OUT."""
    from sdlib.pipeline import chapters

    declared = chapters.parameters(chapter)
    values = {"profile": profile, "source": source}
    values = {name: v for name, v in values.items() if v is not None and name in declared}
    for text in parameter or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"expected -p name=value, got {text!r}")
        values[name] = value
    chapters.execute(chapter, out, values)


@app.command()
def gate(folder: Path) -> None:
    """Refuse executed chapters with errors, stderr, progress bars or paths of this machine."""
    from sdlib.pipeline.output_checks import gate, refuse

    refuse(gate(folder), "findings in executed chapters")


@app.command()
def build() -> None:
    """Build the site from the executed chapters, strictly."""
    from sdlib.pipeline.site import build

    build()


@app.command()
def show() -> None:
    """Say where the book is; open it if someone is looking."""
    from sdlib.pipeline.site import show

    show()


if __name__ == "__main__":
    run_command_line(app)
