"""PadChest's published form, in small files written here; and its real table."""

import csv
import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdlib.datasets import padchest, padchest_files
from sdlib.datasets.padchest import TABLE, load_padchest, read_padchest_table
from sdlib.errors import ConfigError, DataError
from sdlib.films import square_film

SIZE = 16
COLUMNS = [
    *("", "ImageID", "ImageDir", "StudyDate_DICOM", "PatientID", "Projection", "MethodProjection"),
    *("Pediatric", "Manufacturer_DICOM", "Report", "Labels", "labelCUIS"),
]
PHILIPS, IMAGING = "PhilipsMedicalSystems", "ImagingDynamicsCompanyLtd"
# File, archive, patient, projection, paediatric, maker, labels.
ROWS = [
    ("a_k6.png", "0", "83986", "PA", "No", IMAGING, "['normal']"),
    ("b_00-1.png", "0", "83986", "L", "No", IMAGING, "['normal']"),
    ("c.png", "13", "31357", "AP", "No", PHILIPS, "['atypical pneumonia', 'kyphosis']"),
    ("d.png", "13", "31358", "AP_horizontal", "No", PHILIPS, "['normal']"),
    ("e.png", "54", "31358", "PA", "PED", PHILIPS, "['', 'normal ', 'kyphosis']"),
    ("f.png", "54", "31359", "PA", "No", PHILIPS, ""),
    ("g.png", "54", "31360", "PA", "No", PHILIPS, "nan"),
    ("h.png", "54", "31361", "COSTAL", "No", PHILIPS, "[]"),
    ("i.png", "54", "31362", "UNK", "No", PHILIPS, "[]"),
    ("j.png", "54", "31363", "EXCLUDE", "No", PHILIPS, "[]"),
]
USED = ["a_k6.png", "c.png", "e.png", "f.png", "g.png"]


def film(name):
    """A film of its own, of 12 bits that were spread over 16."""
    seed = sum(map(ord, name))
    return np.random.default_rng(seed).integers(0, 4096, (24, 30)).astype(np.uint16) * 16


def square(name):
    return square_film(np.rint(film(name) / 257).astype(np.uint8), SIZE)


def write_table(folder, rows, columns=COLUMNS):
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for number, (name, archive, patient, projection, age, maker, labels) in enumerate(rows):
            report = "sin hallazg .\ncambi crónic ." if number == 0 else "nan"
            where = "Manual review of DICOM fields"
            row = (number, name, archive, "20140915", patient, projection, where, age, maker)
            writer.writerow([*row, report, labels, "['C0034069' 'C0742362']"])


@pytest.fixture(params=["{archive}", "images/{archive}", "images", ""])
def folder(request, tmp_path):
    """All the ways in which the archives are unpacked."""
    return write_folder(tmp_path, request.param)


@pytest.fixture
def unpacked(tmp_path):
    return write_folder(tmp_path, "{archive}")


def write_folder(folder, place):
    for name, archive, *_ in ROWS:
        path = folder / place.format(archive=archive) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(film(name)).save(path)
    write_table(folder, ROWS)
    return folder


def test_every_pa_and_ap_film(folder):
    films = load_padchest(folder, SIZE)
    assert [Path(file).name for file in films.factors["file"]] == USED
    np.testing.assert_array_equal(films.images, [square(name) for name in USED])
    assert films.targets.tolist() == [0] * 5
    patients = ["83986", "31357", "31358", "31359", "31360"]
    assert films.groups.tolist() == [f"padchest/{patient}" for patient in patients]
    assert set(films.factors["source"]) == {"padchest"}
    assert films.factors["view"].tolist() == ["PA", "AP", "PA", "PA", "PA"]
    assert films.factors["paediatric"].tolist() == ["no", "no", "yes", "no", "no"]
    assert films.factors["scanner"].tolist() == [IMAGING, *[PHILIPS] * 4]
    findings = ["normal", "pneumonia", "other", "none told", "none told"]
    assert films.factors["finding"].tolist() == findings


def test_found_by_name_under_the_data_root(unpacked, monkeypatch, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    (root / "padchest").symlink_to(unpacked)
    monkeypatch.setenv("SDLIB_DATA", str(root))
    assert len(load_padchest(size=SIZE)) == 5
    monkeypatch.delenv("SDLIB_DATA")
    with pytest.raises(DataError, match=r"set SDLIB_DATA .*'python -m sdlib fetch padchest' tells"):
        load_padchest()


def test_nothing_is_decoded_before_it_is_read(unpacked, monkeypatch):
    monkeypatch.setattr("sdlib.datasets.film_store.read_film", None)
    films = load_padchest(unpacked, SIZE)
    monkeypatch.undo()
    np.testing.assert_array_equal(films.batch([3, 1]), [square("f.png"), square("c.png")])


# -- Films that are missing or damaged


def cut(path, how):
    content = path.read_bytes()
    path.unlink()
    if how != "missing":
        path.write_bytes(DAMAGE[how](content))


DAMAGE = {
    "empty": lambda old: b"",
    "short": lambda old: old[:9],
    "truncated": lambda old: old[:-200],
    "filled with zeros": lambda old: old[:-200] + bytes(200),
    "a page": lambda old: b"<html>" + old[6:],
}


@pytest.mark.parametrize("how", ["missing", *DAMAGE])
@pytest.mark.parametrize("cached", [False, True])
def test_a_lost_film_is_listed_and_left_out(unpacked, tmp_path, caplog, how, cached):
    cut(unpacked / "13" / "c.png", how)
    cache = tmp_path / "cache" if cached else None
    with caplog.at_level(logging.WARNING):
        films = load_padchest(unpacked, SIZE, cache)
    left = [name for name in USED if name != "c.png"]
    np.testing.assert_array_equal(films.images, [square(name) for name in left])
    assert [Path(file).name for file in films.factors["file"]] == left
    assert "1 of 5 films" in caplog.text
    assert "(the first: c.png)" in caplog.text
    table = read_padchest_table(unpacked)
    reason = "missing" if how == "missing" else "damaged"
    assert table.loc[table["left_out"] == reason, "name"].tolist() == ["c.png"]
    # The header is row 1, whatever number of lines a report has.
    assert table.index[table["name"] == "c.png"].tolist() == [4]


def spoil(path):
    """Damage the middle of a file, which its ends do not tell."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(50)
    path.write_bytes(content)


def test_damage_inside_is_named_when_the_film_is_read(unpacked):
    spoil(unpacked / "13" / "c.png")
    films = load_padchest(unpacked, SIZE)
    assert len(films.batch([0, 2])) == 2
    with pytest.raises(DataError, match=r"c.png \(row 4 of PADCHEST.*csv\) .*"):
        films.batch([0, 1])
    films = load_padchest(unpacked, SIZE, without=["c.png"])
    np.testing.assert_array_equal(films.images, [square(name) for name in USED if name != "c.png"])


def test_damage_inside_is_found_once_where_squares_are_kept(
    unpacked, tmp_path, monkeypatch, caplog
):
    spoil(unpacked / "13" / "c.png")
    cut(unpacked / "54" / "f.png", "missing")
    left = [square(name) for name in USED if name not in ("c.png", "f.png")]
    for read in (True, False):
        if not read:
            monkeypatch.setattr("sdlib.datasets.film_store.read_film", None)
        caplog.clear()
        films = load_padchest(unpacked, SIZE, tmp_path / "cache")
        np.testing.assert_array_equal(films.images, left)
        assert "2 of 5 films" in caplog.text
        assert "(the first: f.png, c.png)" in caplog.text


def test_too_many_lost_films_are_another_set(unpacked):
    for name in ("e.png", "f.png"):
        cut(unpacked / "54" / name, "missing")
    with pytest.raises(
        DataError, match=r"2 of 5 films in .* \(the first: e.png, f.png\), expected "
    ):
        load_padchest(unpacked, SIZE, most_lost=1)
    assert len(load_padchest(unpacked, SIZE, most_lost=2)) == 3
    with pytest.raises(ConfigError, match="expected most_lost of at least 0, a whole number"):
        load_padchest(unpacked, SIZE, most_lost=-1)


def test_a_table_without_films(unpacked):
    for path in unpacked.rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match=r"5 of 5 films in .* are missing or damaged"):
        load_padchest(unpacked, SIZE)


# -- What is not as published


def changed(row, place, value):
    rows = [list(fields) for fields in ROWS]
    rows[row - 2][place] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(4, 3, "PAL"), "expected Projection to be one of PA, AP, .* got PAL in row 4 of"),
        (changed(4, 4, "Yes"), "expected Pediatric to be one of PED, No, got Yes in row 4 of"),
        (changed(4, 2, ""), "expected a PatientID, got an empty field in row 4 of"),
        (changed(4, 0, "../c.png"), "a name and a folder's number, got ../c.png and 13 in row 4"),
        (changed(4, 1, "/etc"), "a name and a folder's number, got c.png and /etc in row 4"),
        (changed(4, 0, "a_k6.png"), "expected each film once, got a_k6.png again in row 4"),
        (changed(4, 6, "normal"), "expected Labels to be a list, got normal in row 4"),
        (changed(4, 6, "{'normal'}"), "expected Labels to be a list, got {'normal'} in row 4"),
    ],
)
def test_a_table_that_is_not_the_published_one(unpacked, rows, message):
    write_table(unpacked, rows)
    with pytest.raises(DataError, match=message) as error:
        load_padchest(unpacked)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read .*: download it again"),
        (b"ImageID,ImageDir\na.png,0\n", "cannot be read .*PatientID.*: download it again"),
        (b"<html>\n<body>", "cannot be read .*: download it again"),
        ("á".encode("utf-16"), "cannot be read .*: download it again"),
    ],
)
def test_a_file_that_is_no_such_table(unpacked, content, message):
    (unpacked / TABLE).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        load_padchest(unpacked)
    assert "\n" not in str(error.value)


def test_a_table_without_frontal_films(unpacked):
    write_table(unpacked, [row for row in ROWS if row[3] not in ("PA", "AP")])
    with pytest.raises(DataError, match=r"expected PA or AP films in .*csv, got none"):
        load_padchest(unpacked)


@pytest.mark.parametrize("without", ["c.png", ["z.png"]])
def test_films_that_are_none_cannot_be_left_out(unpacked, without):
    with pytest.raises(ConfigError, match="expected names of PadChest's films in without, got "):
        load_padchest(unpacked, SIZE, without=without)


def test_a_folder_without_the_table(tmp_path):
    with pytest.raises(
        DataError, match=f"expected {TABLE} in .*, found none. 'python -m sdlib fet"
    ):
        load_padchest(tmp_path)


# -- The real table


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The published table, as torchxrayvision's wheel has it; every file is said to be there."""
    wheel = importlib.util.find_spec("torchxrayvision")
    assert wheel is not None, "install torchxrayvision, which requirements.txt names"
    place = wheel.submodule_search_locations[0]
    folder = tmp_path_factory.mktemp("padchest")
    packed = f"{TABLE}.gz"
    (folder / packed).symlink_to(Path(place) / "data" / packed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(padchest, "find_films", lambda _, table: table["name"])
        patch.setattr(padchest, "cut_off", lambda paths: [False] * len(paths))
        return read_padchest_table(folder)


def test_the_real_table_has_the_published_counts(real):
    assert len(real) == 160_861
    assert real["projection"].value_counts().to_dict() == {
        "PA": 91_728,
        "L": 49_579,
        "AP_horizontal": 14_346,
        "AP": 4_559,
        "COSTAL": 630,
        "EXCLUDE": 11,
        "UNK": 8,
    }
    assert (real["projection"] != "L").sum() == 111_282
    assert real["patient"].nunique() == 67_625


def test_what_is_kept_of_the_real_table(real):
    kept = real[real["left_out"] == ""]
    assert set(kept["projection"]) == {"PA", "AP"}
    assert (len(kept), kept["patient"].nunique()) == (96_287, 63_946)
    assert (kept["paediatric"] == "yes").sum() == 203
    assert kept["finding"].value_counts().to_dict() == {
        "other": 56_988,
        "normal": 34_883,
        "pneumonia": 3_893,
        "none told": 523,
    }
    assert set(real.loc[real["left_out"] != "", "left_out"]) == {"projection"}


def test_ends_of_files(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(film("a")).save(path)
    assert padchest_files.cut_off([path, tmp_path / "none.png", tmp_path]) == [False, True, True]
