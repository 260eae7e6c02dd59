"""What this machine has and lacks for the book, as lines a person can read."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
from pathlib import Path

import torch

from sdlib.datasets.sources import IMAGES
from sdlib.files import obstacle
from sdlib.paths import ROOT, outputs_folder

__all__ = ["report"]


def _versions() -> list[str]:
    """Pins of requirements.txt that this environment does not meet."""
    wrong = []
    for name, wanted in re.findall(
        r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    ):
        try:
            found = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found = "absent"
        if found != wanted:
            wrong.append(f"{name}: pinned {wanted}, found {found}")
    return wrong


def _free_bytes(folder: Path) -> int:
    """Bytes free on the disk that a folder is on, or would be on."""
    meant = Path(os.path.realpath(folder))
    there = next(part for part in (meant, *meant.parents) if os.path.exists(part))
    return shutil.disk_usage(there).free


def report() -> str:
    """Versions, device, the outputs' disk and folder, sources of tiles and of films, in lines.

    >>> report().splitlines()[0].startswith("Python")
    True
    """
    wrong = _versions()
    outputs = outputs_folder()
    free = _free_bytes(outputs) / 2**30
    found = obstacle(outputs)
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    lines = [
        f"Python      {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"packages    {'as pinned' if not wrong else '; '.join(wrong)}",
        f"device      {', '.join(devices) or 'no GPU: training runs on the CPU'}, "
        f"{os.cpu_count()} CPU cores",
        f"disk        {free:.0f} GiB free",
        f"outputs     {outputs}{f': {found}' if found else ''}",
        *(
            f"source      {name} ({images}): {source.state}"
            for images, sources in IMAGES.items()
            for name, source in sources.items()
        ),
    ]
    return "\n".join(lines)
