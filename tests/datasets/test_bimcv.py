"""BIMCV-COVID19 in small: every film's fate, label, pixels and factors; and folders gone wrong."""

import datetime
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sdlib.datasets import bimcv
from sdlib.datasets.bimcv import load_bimcv
from sdlib.datasets.bimcv_selection import REASONS, BimcvSelection, nearest_result
from sdlib.errors import ConfigError, DataError
from tests.datasets.bimcv_folder import (
    MONOCHROME1,
    SIDE,
    element,
    picture,
    tags,
    twelve_bits,
    write_film,
    write_labels,
    write_participants,
    write_table,
    write_tests,
)

CROWD = 30  # further patients of each half, so that all parts of a split have some
PLUS = ["S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08", "S10", "S11", "S12", "S13"]
MINUS = ["S10", "S20", "S21", "S22", "S23", "S24"]
PLUS += [f"S{100 + k}" for k in range(CROWD)]
MINUS += [f"S{200 + k}" for k in range(CROWD)]


def write_half(root, half, patients):
    folder = root / f"bimcv-{half}"
    folder.mkdir(parents=True)
    write_participants(folder, patients)
    return folder


@pytest.fixture
def root(tmp_path):
    """The two halves, and nothing else. Numbers of pictures are of what must be kept."""
    root = tmp_path / "data"
    plus, minus = write_half(root, "plus", PLUS), write_half(root, "minus", MINUS)

    def film(half, patient, session, number, content, *name):
        stored = twelve_bits(
            picture(number), content.get("00280004") == element("CS", "MONOCHROME1")
        )
        return write_film(half, patient, session, stored, content, *name)

    film(plus, "S01", "E01", 1, tags())
    film(plus, "S01", "E02", 2, tags("TORAX AP", t00280004=MONOCHROME1["00280004"]))
    film(plus, "S01", "E02", 0, tags(), "acq-2_bp-chest_vp-ll_dx")
    film(plus, "S02", "E03", 3, table_tags(), "bp-chest_vp-ap_cr")
    film(plus, "S03", "E04", 0, tags("TORAX LAT"))
    write_film(plus, "S04", "E05", twelve_bits(picture(0)), None)
    whole = (plus / film(plus, "S05", "E06", 0, tags())).read_bytes()
    write_film(plus, "S05", "E06", whole[: len(whole) // 2], tags())
    film(plus, "S06", "E07", 0, {n: v for n, v in tags().items() if n != "00281051"})
    film(plus, "S07", "E08", 0, tags("TORAX SUPINO AP"), "bp-chest_vp-ap_dx")
    film(plus, "S08", "E09", 4, tags("TORAX PORTATIL"), "bp-chest_vp-ap_dx")
    film(plus, "S09", "E10", 0, tags())
    write_film(plus, "S11", "E11", twelve_bits(picture(0)), '{"00281050": ')
    film(plus, "S12", "E12", 0, tags(t00280004=element("CS", "RGB")))
    write_film(plus, "S13", "E13", np.zeros((SIDE, SIDE, 3), np.uint8), tags())
    film(plus, "S13", "E13", 0, tags("CHEST"), "bp-chest_vp-oblique_dx")
    film(plus, "S13", "E13", 0, tags("ABDOMEN"), "acq-3_bp-chest_vp-ap_dx")

    # In both halves: negative in March, positive in April.
    film(plus, "S10", "E30", 5, tags(day="20200405"))
    film(plus, "S10", "E31", 6, tags(day="20200302"))
    film(minus, "S10", "E31", 6, tags(day="20200302"))
    film(minus, "S10", "E32", 7, tags(day="20200501"))
    film(minus, "S10", "E33", 0, tags(day=""))
    for k, patient in enumerate(MINUS[1:]):
        film(minus, patient, f"E{400 + k}", 400 + k, tags())
    for k, patient in enumerate(PLUS[-CROWD:]):
        film(plus, patient, f"E{500 + k}", 500 + k, tags())

    write_tests(
        plus,
        [
            ["sub-S10", "03.04.2020", "PCR", "POSITIVO"],
            ["sub-S01", "01.03.2020", "PCR", "NEGATIVO"],
            ["sub-S10", "02.03.2020", "PCR", "INDETERMINADO"],
        ],
    )
    write_tests(minus, [["sub-S10", "05.03.2020", "PCR", "NEGATIVO"]], "SIL_REG_COVID_NEGA.txt")
    write_labels(
        plus,
        [
            ["sub-S01", "ses-E01", "un informe", "['COVID 19'\t 'pneumonia']"],
            ["sub-S01", "ses-E01", "el mismo", "['pneumonia'\t 'normal']"],
            ["sub-S02", "ses-E03", "", "[]"],
        ],
    )
    return root


def table_tags():
    """Tags with a table of values of interest, which inverts; and a window that must not count."""
    item = {
        "00283002": element("US", 4096, 0, 12),
        "00283006": element("US", *range(4096)),
    }
    return tags("", t00283010=element("SQ", item), t00281050=element("DS", "1", "2"))


#: Half, patient, session, number of the picture, label, view.
KEPT = [
    ("plus", "S01", "E01", 1, 1, "PA"),
    ("plus", "S01", "E02", 2, 1, "AP"),
    ("plus", "S02", "E03", 3, 1, "AP"),
    ("plus", "S08", "E09", 4, 1, "AP"),
    ("plus", "S10", "E30", 5, 1, "PA"),
    ("plus", "S10", "E31", 6, 0, "PA"),
    ("minus", "S10", "E32", 7, 1, "PA"),
    *(("minus", name, f"E{400 + k}", 400 + k, 0, "PA") for k, name in enumerate(MINUS[1:])),
    *(("plus", name, f"E{500 + k}", 500 + k, 1, "PA") for k, name in enumerate(PLUS[-CROWD:])),
]
DROPPED = {
    ("S01", "E02"): "lateral",
    ("S03", "E04"): "lateral",
    ("S04", "E05"): "no tags",
    ("S05", "E06"): "damaged image",
    ("S06", "E07"): "no window",
    ("S07", "E08"): "supine",
    ("S09", "E10"): "unlisted",
    ("S11", "E11"): "damaged tags",
    ("S12", "E12"): "damaged tags",
}


def load(root, part="train", **options):
    return load_bimcv(part, root=root, size=SIDE, cache=root.parent / "cache", **options)


def selection(root):
    """The films that were kept and left out, as the notes beside the squares list them."""
    (notes,) = (root.parent / "cache").glob("bimcv-*.json")
    content = json.loads(notes.read_text())
    return BimcvSelection(pd.DataFrame(content["films"]), pd.DataFrame(content["dropped"]))


def everything(root, **options):
    """All parts, by session."""
    parts = [load(root, part, test=0.2, **options) for part in ("train", "validation", "test")]
    rows = {}
    for tiles in parts:
        for k, session in enumerate(tiles.factors["session"]):
            found = {name: column[k] for name, column in tiles.factors.items()}
            found |= {"label": tiles.targets[k], "patient": tiles.groups[k]}
            rows[session] = found | {"image": tiles.batch([k])[0]}
    return rows


def test_every_film_that_is_kept(root):
    rows = everything(root)
    assert sorted(rows) == sorted(session for _, _, session, *_ in KEPT)
    for half, patient, session, number, label, view in KEPT:
        row = rows[session]
        assert (row["half"], row["patient"], row["label"], row["view"]) == (
            half,
            patient,
            label,
            view,
        )
        assert row["source"] == "bimcv"
        assert row["scanner"] == "Maker"
        for channel in range(3):
            np.testing.assert_array_equal(row["image"][..., channel], picture(number))


def test_columns_of_single_films(root):
    rows = everything(root)
    assert rows["E01"]["findings"] == "COVID 19; pneumonia; normal"
    assert rows["E03"]["findings"] == rows["E30"]["findings"] == ""
    assert rows["E03"]["modality"] == "cr"
    assert rows["E01"]["modality"] == "dx"
    assert [session for session, row in rows.items() if row["bedside"]] == ["E09"]


def test_every_film_that_is_left_out(root):
    load(root)
    report = selection(root)
    reasons = {}
    for file, reason in zip(report.dropped["file"], report.dropped["reason"], strict=True):
        patient, session = re.match(r"sub-(S\d+)/ses-(E\d+)/", file).groups()
        reasons.setdefault((patient, session), []).append(reason)
    assert reasons.pop(("S10", "E31")) == ["copy"]
    assert reasons.pop(("S10", "E33")) == ["no test"]
    assert sorted(reasons.pop(("S13", "E13"))) == [
        "damaged image",
        "not the chest",
        "view unknown",
    ]
    assert reasons == {place: [reason] for place, reason in DROPPED.items()}
    why = report.dropped.set_index("reason")["why"]
    assert "is damaged" in why["damaged image"].iloc[0]
    assert "grey values of 8 or 16 bits" in why["damaged image"].iloc[1]
    assert set(REASONS) >= set(report.dropped["reason"])


def test_counts(root):
    load(root)
    assert selection(root).counts() == {
        "films": 12 + 2 * CROWD,
        "positive patients": 4 + CROWD,
        "negative patients": 6 + CROWD,
        "unlisted": 1,
        "copy": 1,
        "no tags": 1,
        "damaged tags": 2,
        "not the chest": 1,
        "lateral": 2,
        "supine": 1,
        "view unknown": 1,
        "no window": 1,
        "no test": 1,
        "damaged image": 2,
    }


def test_parts_share_no_patient_and_the_default_has_two(root):
    train, validation = load(root), load(root, "validation")
    assert len(train) + len(validation) == len(KEPT)
    assert not set(train.groups) & set(validation.groups)
    assert set(validation.targets) == {0, 1}
    again = load(root)
    np.testing.assert_array_equal(train.groups, again.groups)
    splits = {tuple(sorted(set(load(root, "validation", seed=s).groups))) for s in range(8)}
    assert len(splits) > 1


def test_bedside_films_can_be_left_out(root):
    rows = everything(root, bedside=False)
    assert len(rows) == len(KEPT) - 1
    assert "E09" not in rows
    for _, _, session, number, *_ in KEPT:
        if session != "E09":
            np.testing.assert_array_equal(rows[session]["image"][..., 0], picture(number))


def test_squares_of_larger_films(root):
    plus = root / "bimcv-plus"
    levels = np.repeat(np.arange(32, dtype=np.uint8)[None] * 8, 16, axis=0)
    write_film(plus, "S01", "E99", twelve_bits(levels), tags())
    square = everything(root)["E99"]["image"]
    # 32 x 16 px become 16 x 8, each column the mean of two; the central eight are left.
    columns = levels[0].reshape(16, 2).mean(axis=1)[4:12]
    np.testing.assert_array_equal(square[..., 0], np.repeat(columns[None], SIDE, axis=0))


def test_the_second_load_reads_no_film(root, monkeypatch):
    first = everything(root)
    monkeypatch.setattr(bimcv, "_decode", None)
    second = everything(root)
    for session, row in first.items():
        np.testing.assert_array_equal(row.pop("image"), second[session].pop("image"))
        assert row == second[session]


def test_a_changed_file_is_seen(root):
    before = everything(root)
    path = root / "bimcv-minus" / "sub-S20/ses-E400/mod-rx"
    (path / "sub-S20_ses-E400_run-1_bp-chest_vp-pa_dx.json").write_text(json.dumps(tags("LAT")))
    assert set(before) - set(everything(root)) == {"E400"}


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("x")])
@pytest.mark.parametrize("kind", ["*.npy", "*.json"])
def test_a_spoilt_cache_is_made_again(root, kind, spoil):
    first = everything(root)
    (path,) = (root.parent / "cache").glob(kind)
    spoil(path)
    second = everything(root)
    assert sorted(first) == sorted(second)
    np.testing.assert_array_equal(first["E01"]["image"], second["E01"]["image"])


def test_unpacked_as_the_archives_are(root):
    for half, name in (("plus", "covid19_posi"), ("minus", "covid19_neg")):
        folder = root / f"bimcv-{half}"
        folder.rename(root / name)
        folder.mkdir()
        (root / name).rename(folder / name)
    part = root / "bimcv-plus" / "covid19_posi" / "subjects_1"
    part.mkdir()
    (part.parent / "sub-S02").rename(part / "sub-S02")
    rows = everything(root)
    assert len(rows) == len(KEPT)
    np.testing.assert_array_equal(rows["E03"]["image"][..., 0], picture(3))


def test_no_patient_in_both_halves_needs_no_tests(root):
    write_participants(root / "bimcv-minus", MINUS[1:])
    for half in ("plus", "minus"):
        for path in (root / f"bimcv-{half}" / "derivatives" / "EHR").iterdir():
            path.unlink()
    rows = everything(root)
    assert rows["E31"]["label"] == 1
    assert "E32" not in rows


MARCH = [datetime.date(2020, 3, day) for day in range(1, 32)]


@pytest.mark.parametrize(
    ("tests", "day", "result"),
    [
        ([(MARCH[0], 0), (MARCH[20], 1)], MARCH[9], 0),
        ([(MARCH[0], 0), (MARCH[20], 1)], MARCH[10], 1),
        ([(MARCH[0], 1), (MARCH[20], 0)], MARCH[10], 1),
        ([(MARCH[0], 1), (MARCH[20], 0)], MARCH[30], 0),
        ([(MARCH[0], 1), (MARCH[20], 1)], None, 1),
        ([(MARCH[0], 0), (None, 0)], None, 0),
        ([(MARCH[0], 1), (MARCH[20], 0)], None, None),
        ([(None, 1)], MARCH[0], 1),
        ([], MARCH[0], None),
    ],
)
def test_nearest_test(tests, day, result):
    assert nearest_result(tests, day) == result


@pytest.mark.parametrize("half", ["plus", "minus"])
def test_a_half_that_is_not_there(root, half):
    (root / f"bimcv-{half}").rename(root / "elsewhere")
    with pytest.raises(DataError, match=rf"bimcv-{half}'.*accept the agreement at https://bimcv"):
        load(root)


def test_no_root(monkeypatch):
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    with pytest.raises(DataError, match="set SDLIB_DATA to the folder that holds bimcv-plus"):
        load_bimcv("train")


def remove_participants(plus):
    (plus / "participants.tsv").unlink()


def remove_column(plus):
    write_table(plus / "participants.tsv", [["subject"], ["sub-S01"]])


def remove_films(plus):
    for patient in plus.glob("sub-*"):
        patient.rename(plus / f"_{patient.name}")


def wrong_result(plus):
    write_tests(plus, [["sub-S01", "01.03.2020", "PCR", "MAYBE"]])


def wrong_date(plus):
    write_tests(
        plus,
        [["sub-S01", "01.03.2020", "PCR", "POSITIVO"], ["sub-S01", "31/03", "PCR", "POSITIVO"]],
    )


def remove_tests(plus):
    for folder in (plus, plus.parent / "bimcv-minus"):
        for path in (folder / "derivatives" / "EHR").iterdir():
            path.unlink()


def short_row(plus):
    write_table(
        plus / "derivatives" / "labels" / "labels_covid19_posi.tsv",
        [["PatientID", "ReportID", "Labels"], ["sub-S01", "ses-E01"]],
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            remove_participants,
            r"expected participants.tsv in .*bimcv-plus or in one folder .* none",
        ),
        (remove_column, r"expected columns participant in .*participants.tsv, got subject"),
        (remove_films, r"expected films under .*bimcv-plus as sub-\*/ses-\*/mod-rx/\*.png"),
        (wrong_result, r"a result of POSITIVO, .* got MAYBE in row 2 of .*sil_reg_covid.tsv"),
        (wrong_date, r"a date such as 31.03.2020, got 31/03 in row 3 of .*sil_reg_covid.tsv"),
        (remove_tests, r"the tests of the 1 patients who are in both halves in sil_reg_covid"),
        (short_row, r"expected 3 fields in row 2 of labels_covid19_posi.tsv, got 2"),
    ],
)
def test_a_folder_gone_wrong(root, spoil, said):
    spoil(root / "bimcv-plus")
    with pytest.raises(DataError, match=said) as error:
        load(root)
    assert "\n" not in str(error.value)
    assert not list(root.parent.glob("cache/*"))


def test_no_film_is_left(root):
    for path in root.rglob("*.json"):
        path.unlink()
    with pytest.raises(DataError, match=r"expected films that can be kept .* 0 films.*no tags"):
        load(root)
    assert selection(root).counts()["films"] == 0


@pytest.mark.parametrize(
    ("part", "options", "said"),
    [
        (
            "test",
            {},
            "expected a part of train, validation, got 'test': the paper tests on COVIDx8",
        ),
        ("all", {"test": 0.1}, "expected a part of train, validation, test, got 'all'"),
        ("train", {"test": 0.9}, "the share of the test set from 0 to 0.5"),
        ("train", {"test": -1}, "the share of the test set from 0 to 0.5"),
    ],
)
def test_wrong_arguments(root, part, options, said):
    with pytest.raises(ConfigError, match=said):
        load(root, part, **options)


@pytest.mark.parametrize("size", [0, 2.5])
def test_wrong_size(root, size):
    with pytest.raises(ConfigError, match="expected size of at least 1"):
        load_bimcv("train", root=root, size=size)


def test_litter_is_passed_over(root):
    load(root)
    before = selection(root).counts()
    place = root / "bimcv-plus" / "sub-S01" / "ses-E01" / "mod-rx"
    (place / "._sub-S01_ses-E01_run-1_bp-chest_vp-pa_dx.png").write_bytes(b"litter")
    (place / "notes.txt").write_text("a note")
    Image.new("L", (4, 4)).save(root / "bimcv-plus" / "sub-S01" / "overview.png")
    load(root)
    assert selection(root).counts() == before
