"""Folders of labelled images, drawn in a moment."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32
PURPLE, PINK = (120, 60, 150), (220, 150, 190)


def write_folder(
    folder: Path,
    patients: int = 20,
    each: int = 3,
    labels: tuple[str, str] = ("0", "1"),
    columns: dict[str, list[str]] | None = None,
    group: str = "patient {}",
    file: str = "image {}.png",
) -> list[dict[str, str]]:
    """Write a manifest and its images; patients are of either class by turns.

    Positive images are darker, with noise, so that a network can learn them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(patients * each):
        patient = number // each
        target = patient % 2
        colour = np.array((PINK, PURPLE)[target])
        noise = rng.integers(-60, 30, (SIDE, SIDE, 1))
        image = np.clip(colour + noise, 0, 255).astype(np.uint8)
        row = {
            "file": file.format(number),
            "label": labels[target],
            "group": group.format(patient),
        }
        row |= {name: values[number] for name, values in (columns or {}).items()}
        Image.fromarray(image).save(folder / row["file"])
        rows.append(row)
    write_manifest(folder, rows)
    return rows


def lopsided(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows with a split: of the positive test images, all but one are of one patient.

    There are twelve negative test images, of two patients.
    """
    most = {0: 6, 2: 6, 3: 1}
    kept = []
    for row in rows:
        patient = int(row["group"].split()[1])
        if patient in most:
            most[patient] -= 1
            if most[patient] < 0:
                continue
        split = "train"
        if patient < 4:
            split = "test"
        elif patient < 6:
            split = "validation"
        kept.append({**row, "split": split})
    return kept


def write_manifest(folder: Path, rows: list[dict[str, str]]) -> None:
    """Write the rows as ``manifest.csv``."""
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
