"""The command ``python -m sdlib compare``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

__all__ = ["compare"]

INTERRUPTED = 130  # what a shell reports after Ctrl-C


def compare(
    folder: Annotated[str, typer.Argument(help="a folder with manifest.csv")],
    profile: Annotated[str, typer.Option(help="quick, laptop, long, gpu or paper")] = "quick",
    positive: Annotated[
        list[str] | None,
        typer.Option(help="the positive label, such as tumour; again, or with commas, for several"),
    ] = None,
    search: Annotated[
        bool,
        typer.Option(help="tune both on validation images; else both have the paper's values"),
    ] = True,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="begin with ImageNet weights")
    ] = False,
    stain: Annotated[
        str, typer.Option(help="fade stains: yes, no, or auto, where the images look like H&E")
    ] = "auto",
    out: Annotated[
        str | None, typer.Option(help="the folder of results; by default SDLIB_OUTPUTS")
    ] = None,
) -> None:
    """Train weight decay and spectral decoupling on your own images, and write a page on both.

    A killed command goes on where it stopped when it is called again.
    """
    from sdlib.report.own_data.compare import compare_folder

    def log(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    chosen = (profile, positive or (), search, pretrained, stain, out)
    try:
        page, sentence = compare_folder(folder, *chosen, log)
    except KeyboardInterrupt:
        log("stopped: the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from None
    print(sentence)
    print(page)
