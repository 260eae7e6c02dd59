"""``python -m sdlib.lab``: the networks of the lab in the page, recorded and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sdlib.errors import run_command_line

app = typer.Typer(
    help="The networks of the shift lab in the page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def export(folder: Annotated[Path, typer.Argument(help="where the ONNX files go")]) -> None:
    """Write the recorded networks as ONNX, for onnxruntime-web."""
    from sdlib.lab.page_networks import export as write

    _say(write(folder))


@app.command()
def record() -> None:
    """Keep this machine's networks for the page, with their accuracies under shift."""
    from sdlib.lab.page_networks import record as keep

    _say(keep())


def _say(written: dict[str, int]) -> None:
    for name, size in written.items():
        print(f"{name}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    run_command_line(app)
