"""Collections of films in the form of their repositories, in small files written here."""

import csv

import numpy as np
import pytest
from PIL import Image

from sdlib.datasets.github_films import load_github_films, read_github_table
from sdlib.datasets.github_tables import COLLECTIONS
from sdlib.errors import ConfigError, DataError
from sdlib.films import square_film

SIZE = 16
HANNOVER_URL = "https://github.com/ml-workgroup/covid-19-image-repository"
# The tables' own columns; Cohen's header ends in a comma, so that its last column has no name.
HEADERS = {
    "cohen": "patientid,offset,finding,view,modality,folder,filename,url,clinical_notes,",
    "hannover": "patient_id,image_id,sex,age,modality,projection,crp_offset,crp_val",
    "figure1": "patientid,offset,sex,age,finding,view,modality,notes",
    "actualmed": "patientid,offset,finding,view,modality,imagename,notes",
}
NOTES = "fever,\nthen cough"  # a field of two lines, as there are many
ROWS = {
    "cohen": [
        ["2", "0", "COVID-19", "PA", "X-ray", "images", "a.jpeg", "https://a.org", NOTES, ""],
        ["2", "3", "COVID-19, ARDS", "AP Supine", "X-ray", "images", "b.PNG", "", "", ""],
        ["2", "3", "COVID-19", "L", "X-ray", "images", "c.jpg", "", "", ""],
        ["3", "", "Pneumonia/Viral/COVID-19", "AP", "X-ray", "images", "d.jpg", "", "", ""],
        ["4", "", "Pneumonia/Viral/SARS", "AP semi erect", "X-ray", "images", "e.jpg", "", "", ""],
        ["5", "", "No Finding", "PA", "X-ray", "images", "f.jpg", "", "", ""],
        ["6", "", "COVID-19", "Axial", "CT", "images", "g.jpg", "", "", ""],
        ["6", "", "COVID-19", "Coronal", "CT", "volumes", "h.nii.gz", "", "", ""],
        ["7", "", "todo", "?", "X-ray", "images", "i.jpg", "", "", ""],
        ["7", "", "Unknown", "PA", "X-ray", "images", "i2.jpg", "", "", ""],
        ["219", "", "COVID-19", "PA", "X-ray", "images", "fff13f3a.jpg", HANNOVER_URL, "", ""],
        ["285", "", "Pneumonia", "PA", "X-ray", "images", "24.jpg", "", "", ""],
        ["339", "", "Pneumonia", "PA", "X-ray", "images", "24.jpg", "", "", ""],
        ["339", "", "Legionella", "PA", "X-ray", "images", "25.jpg", "", "", ""],
        ["311a", "", "COVID-19", "PA", "X-ray", "images", "j.jpg", "", "", ""],
        ["311b", "", "COVID-19", "AP", "X-ray", "images", "k.jpg", "", "", ""],
    ],
    "hannover": [
        ["024e7871", "fff13f3a", "f", "", "CR", "pa", "0.0", "3.0"],
        ["0a359802", "61bc50d1", "f", "", "CR", "ap", "0.0", "-inf"],
        ["0a359802", "2168a917", "f", "", "DX", "pa", "", ""],
    ],
    "figure1": [
        ["COVID-00001", "13", "M", "33", "COVID-19", "AP erect", "X-ray", "38\xb0 \u2019"],
        ["COVID-00003a", "8", "M", "28", "", "AP erect", "X-ray", ""],
        ["COVID-00039a", "10", "F", "77", "COVID-19", "", "X-ray", ""],
        ["COVID-00039b", "10", "F", "77", "COVID-19", "", "X-ray", ""],
        ["COVID-00023", "", "", "", "No finding", "", "X-ray", ""],
        ["COVID-00031", "", "", "", "Pneumonia", "", "X-ray", ""],
    ],
    "actualmed": [
        ["ANON196", "", "", "PA", "X-ray", "CR.1.2.png", "Inconclusive"],
        ["ANON196", "", "COVID-19", "PA", "X-ray", "CR.1.3.png", ""],
        ["ANON56", "", "No finding", "AP", "X-ray", "CR.1.4.png", "Negative"],
    ],
}
FILES = {
    "cohen": "a.jpeg b.PNG c.jpg d.jpg e.jpg f.jpg g.jpg i.jpg i2.jpg fff13f3a.jpg 24.jpg 25.jpg "
    "j.jpg k.jpg README",
    "hannover": "fff13f3a.png 61bc50d1.png 2168a917.png",
    "figure1": "COVID-00001.jpg COVID-00003a.jpg COVID-00039a.jpg COVID-00039b.png COVID-00023.png "
    "COVID-00031.jpg",
    "actualmed": "CR.1.2.png CR.1.3.png CR.1.4.png",
}
# What is used of the rows above, by file: patient, target, view, position.
EXPECTED = {
    "cohen": {
        "images/a.jpeg": ("cohen/2", 1, "PA", ""),
        "images/b.PNG": ("cohen/2", 1, "AP", "supine"),
        "images/d.jpg": ("cohen/3", 1, "AP", ""),
        "images/e.jpg": ("cohen/4", 0, "AP", "semi erect"),
        "images/f.jpg": ("cohen/5", 0, "PA", ""),
        "images/24.jpg": ("cohen/285", 0, "PA", ""),
        "images/25.jpg": ("cohen/285", 0, "PA", ""),
        "images/j.jpg": ("cohen/311", 1, "PA", ""),
        "images/k.jpg": ("cohen/311", 1, "AP", ""),
    },
    "hannover": {
        "png/fff13f3a.png": ("hannover/024e7871", 1, "PA", ""),
        "png/61bc50d1.png": ("hannover/0a359802", 1, "AP", ""),
        "png/2168a917.png": ("hannover/0a359802", 1, "PA", ""),
    },
    "figure1": {
        "images/COVID-00001.jpg": ("figure1/COVID-00001", 1, "AP", "erect"),
        "images/COVID-00039a.jpg": ("figure1/COVID-00039", 1, "", ""),
        "images/COVID-00039b.png": ("figure1/COVID-00039", 1, "", ""),
        "images/COVID-00023.png": ("figure1/COVID-00023", 0, "", ""),
        "images/COVID-00031.jpg": ("figure1/COVID-00031", 0, "", ""),
    },
    "actualmed": {
        "images/CR.1.3.png": ("actualmed/ANON196", 1, "PA", ""),
        "images/CR.1.4.png": ("actualmed/ANON56", 0, "AP", ""),
    },
}


def grey(name):
    """A film of its own, whose sides differ."""
    seed = sum(map(ord, name))
    return np.random.default_rng(seed).integers(0, 256, (24, 30), dtype=np.uint8)


def write_table(folder, name, rows, encoding="utf-8"):
    path = folder / COLLECTIONS[name].table
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADERS[name].split(","))
        writer.writerows(rows)


@pytest.fixture(params=COLLECTIONS)
def name(request):
    return request.param


@pytest.fixture
def folder(name, tmp_path):
    return write_folder(tmp_path, name)


@pytest.fixture
def cohen(tmp_path):
    return write_folder(tmp_path, "cohen")


def write_folder(root, name):
    folder = root / name
    images = folder / ("png" if name == "hannover" else "images")
    images.mkdir(parents=True)
    for file in FILES[name].split():
        # Lossless, whatever the name says: the reader looks at the content.
        Image.fromarray(grey(file)).save(images / file, "PNG")
    write_table(folder, name, ROWS[name], COLLECTIONS[name].encoding)
    return folder


def test_every_film_whose_finding_is_told(name, folder):
    films = load_github_films(name, folder, SIZE)
    columns = (films.factors["view"], films.factors["position"])
    found = zip(films.groups, films.targets, *columns, strict=True)
    assert dict(zip(films.factors["file"], found, strict=True)) == EXPECTED[name]
    assert set(films.factors["source"]) == {name}
    wanted = [square_film(grey(file.rpartition("/")[2]), SIZE) for file in EXPECTED[name]]
    np.testing.assert_array_equal(films.images, wanted)


def test_found_by_name_under_the_data_root(name, folder, monkeypatch):
    monkeypatch.setenv("SDLIB_DATA", str(folder.parent))
    assert len(load_github_films(name, size=SIZE)) == len(EXPECTED[name])


def test_without_the_folder_the_way_to_the_data_is_told(name, tmp_path, monkeypatch):
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    with pytest.raises(DataError, match=f"set SDLIB_DATA .*python -m sdlib fetch {name}"):
        load_github_films(name)
    with pytest.raises(DataError, match=f"found none. Download it by .*sdlib fetch {name}"):
        load_github_films(name, tmp_path)


def test_a_table_that_a_spreadsheet_has_saved(name, folder):
    write_table(folder, name, ROWS[name], "utf-8-sig")
    assert len(load_github_films(name, folder, SIZE)) == len(EXPECTED[name])


def test_unknown_collection(tmp_path):
    with pytest.raises(ConfigError, match="cohen, hannover, figure1, actualmed, got 'mila'"):
        load_github_films("mila", tmp_path)


def test_what_is_left_out_and_why(cohen):
    table = read_github_table("cohen", cohen)
    assert len(table) == len(ROWS["cohen"])
    # Row 2 has two lines, so that its number is that of the second.
    assert table.index[:2].tolist() == [3, 4]
    assert table["left_out"].value_counts().to_dict() == {
        "": 9,
        "CT": 2,
        "lateral view": 1,
        "finding not told": 2,
        "copy of a film of Hannover": 1,
        "listed before": 1,
    }
    assert table.loc[table["left_out"] == "finding not told", "target"].tolist() == [-1, -1]


def test_squares_may_be_decoded_once(cohen, tmp_path, monkeypatch):
    lazy = load_github_films("cohen", cohen, SIZE)
    cached = load_github_films("cohen", cohen, SIZE, tmp_path / "cache")
    np.testing.assert_array_equal(cached.images, lazy.images)
    monkeypatch.setattr("sdlib.datasets.film_store.read_film", None)
    again = load_github_films("cohen", cohen, SIZE, tmp_path / "cache")
    np.testing.assert_array_equal(again.images, cached.images)
    monkeypatch.undo()
    # Another film of the same name is another set.
    Image.fromarray(255 - grey("a.jpeg")).save(cohen / "images" / "a.jpeg", "PNG")
    changed = load_github_films("cohen", cohen, SIZE, tmp_path / "cache")
    np.testing.assert_array_equal(changed.images[0], square_film(255 - grey("a.jpeg"), SIZE))


# -- What is not as published


def changed(row, column, value):
    rows = [list(fields) for fields in ROWS["cohen"]]
    rows[row][HEADERS["cohen"].split(",").index(column)] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(3, "view", "Oblique"), "expected a view of pa, ap, .* got Oblique in row 6 of"),
        (changed(3, "modality", "MR"), "expected a modality of x-ray, .* got MR in row 6 of"),
        (changed(3, "filename", ""), "expected a filename in row 6 of metadata.csv, got an empty"),
        (changed(3, "patientid", ""), "expected a patientid in row 6 of metadata.csv"),
        (changed(3, "folder", "../x"), r"expected a file inside .*, got ../x/d.jpg in row 6 of"),
        (changed(3, "folder", "/etc"), r"expected a file inside .*, got /etc/d.jpg in row 6 of"),
        (
            changed(3, "filename", "z.jpg"),
            r"expected 9 films under .*, found 8: the first without a file is images/z.jpg \(row 6",
        ),
        (
            changed(12, "finding", "COVID-19"),
            "one finding of each file, got Pneumonia in row 14 and COVID-19 in row 15 .*24.jpg",
        ),
        (changed(0, "finding", "COVID-19")[6:10], "expected films with a known finding in .*none"),
    ],
)
def test_a_table_that_is_not_the_published_one(cohen, rows, message):
    write_table(cohen, "cohen", rows)
    with pytest.raises(DataError, match=message) as error:
        load_github_films("cohen", cohen)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("column", ["filename", "view", "url"])
def test_a_table_without_a_column(cohen, column):
    path = cohen / "metadata.csv"
    path.write_text(path.read_text().replace(column, "something", 1))
    with pytest.raises(DataError, match=rf"expected .*column.*{column}.*metadata.csv"):
        load_github_films("cohen", cohen)


def test_a_folder_of_images_that_is_missing(name, folder):
    parent = "png" if name == "hannover" else "images"
    (folder / parent).rename(folder / "films")
    with pytest.raises(DataError, match=f"found 0: the first without a file is {parent}/"):
        load_github_films(name, folder)


def test_a_damaged_film_is_named_with_its_row_when_it_is_read(cohen):
    path = cohen / "images" / "d.jpg"
    path.write_bytes(path.read_bytes()[:-100])
    films = load_github_films("cohen", cohen, SIZE)
    assert len(films.batch([0, 1, 3])) == 3
    with pytest.raises(DataError, match=r"d.jpg \(row 6 of metadata.csv\) cannot be decoded"):
        films.batch([1, 2])
