"""Both halves of BIMCV-COVID19 in small, as published and with the real ones' quirks."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

SIDE = 8  # px


def picture(number):
    """The 8-bit picture that a film must give: every film has one of its own."""
    rng = np.random.default_rng(number)
    levels = rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    levels[0, :2] = 0, 255
    return levels


def twelve_bits(levels, inverted=False):
    """Stored values of a picture."""
    stored = np.rint(levels * 4095.0 / 255).astype(np.uint16)
    return 4095 - stored if inverted else stored


def element(vr, *values):
    return {"vr": vr, "Value": list(values)}


WINDOW = {"00281050": element("DS", "2048"), "00281051": element("DS", "4096")}
MONOCHROME1 = {"00280004": element("CS", "MONOCHROME1")}


def tags(description="TORAX PA", day="20200331", **more):
    """The tags that most films have; ``more`` by their numbers, with a leading letter ``t``."""
    content = {
        "00080060": element("CS", "DX"),
        "00080070": element("LO", "Maker"),
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "ANON"}]},
        "00280004": element("CS", "MONOCHROME2"),
        **WINDOW,
    }
    if day:
        content["00080020"] = element("DA", day)
    if description:
        content["0008103E"] = element("LO", description)
    return content | {number.removeprefix("t"): value for number, value in more.items()}


def write_film(half, patient, session, stored, content, name="bp-chest_vp-pa_dx"):
    """Write one film; returns its path from the half's folder."""
    file = f"sub-{patient}/ses-{session}/mod-rx/sub-{patient}_ses-{session}_run-1_{name}.png"
    path = half / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(stored, bytes):
        path.write_bytes(stored)
    else:
        Image.fromarray(stored).save(path)
    if content is not None:
        text = content if isinstance(content, str) else json.dumps(content)
        path.with_suffix(".json").write_text(text, encoding="utf-8")
    return file


def write_table(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join("\t".join(fields) for fields in lines) + "\n", encoding="utf-8")


def write_participants(half, patients):
    """With a row of something else, and several lines of the first patient."""
    rows = [[f"sub-{name}", "['CR', 'DX']", "[66]", "M"] for name in [patients[0], *patients]]
    header = ["participant", "modality_dicom", "age", "gender"]
    write_table(half / "participants.tsv", [header, ["derivatives", "[]", "[]", "None"], *rows])


def write_tests(half, rows, name="sil_reg_covid.tsv"):
    header = ["participant", "date", "test", "result"]
    write_table(half / "derivatives" / "EHR" / name, [header, *rows])


def write_labels(half, rows, name="labels_covid19_posi.tsv"):
    # The published lists have tabs in them, in quotation marks.
    header = ["PatientID", "ReportID", "Report", "Labels"]
    quoted = [[*row[:3], f'"{row[3]}"'] for row in rows]
    write_table(half / "derivatives" / "labels" / name, [header, *quoted])
