"""The steps of the graph as commands: what the Snakefile and the Makefile call.

``python -m sdlib.pipeline train | unlock | execute | gate | build | show``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sdlib.errors import ConfigError, SdlibError

app = typer.Typer(
    help="The steps of the graph; see the Snakefile.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def train(
    run_ids: Annotated[list[str], typer.Argument(help="such as cutout/sd_eq2/seed3")],
    profile: str = "quick",
    source: str = "phantom",
) -> None:
    """Make several runs in one process; rows that are there are kept."""
    from sdlib.experiments import parse_run
    from sdlib.pipeline import jobs

    jobs.train([parse_run(text, profile, source) for text in run_ids])


@app.command()
def unlock() -> None:
    """Remove the lock of a snakemake that was killed."""
    from sdlib.pipeline.jobs import unlock

    unlock()


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
def show(page: Path) -> None:
    """Say where the book is; open it if someone is looking."""
    from sdlib.pipeline.site import show

    show(page)


def main() -> None:
    """Run the command line; an error raised on purpose is one message and exit status 2."""
    try:
        app()
    except SdlibError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
