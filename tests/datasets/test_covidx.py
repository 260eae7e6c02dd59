"""COVIDx8's published form, in small files written here."""

import numpy as np
import pytest
from PIL import Image

from sdlib.datasets import covidx
from sdlib.datasets.covidx import count_covidx8_sources, load_covidx8
from sdlib.errors import ConfigError, DataError
from sdlib.films import square_film

SIZE = 16
# Lines of every source as they are in the lists: sirm's have five fields.
LINES = {
    "train": [
        "5 ARDSSevere.png negative cohen",
        "94 lines.jpeg positive cohen",
        "94 lines2.JPG negative cohen",
        "COVID-00039b COVID-00039b.jpg positive fig1",
        "ANON24 CR.1.2.840.113564.1722810170.20200320103403375580.png positive actmed",
        "ANON56 CR.1.2.840.png negative actmed",
        "COVID 12 COVID(12).png positive sirm",
        "COVID 3 COVID(3).png positive sirm",
        "419639-000238 MIDRC-RICORD-1C-419639-000238-46556-1.png positive ricord",
        "0004cfab-14fd-4e49 0004cfab-14fd-4e49.png negative rsna",
        "00313ee0-9eaa-42fa 00313ee0-9eaa-42fa.png negative rsna",
    ],
    "test": [
        "419639-000025 MIDRC-RICORD-1C-419639-000025-52464-0.png positive ricord",
        "c6f9f3e5-0b9f-4b4f c6f9f3e5-0b9f-4b4f.png negative rsna",
    ],
}
COUNTS = {
    ("train", "actualmed"): (1, 1),
    ("train", "cohen"): (2, 1),
    ("train", "figure1"): (0, 1),
    ("train", "ricord"): (0, 1),
    ("train", "rsna"): (2, 0),
    ("train", "sirm"): (0, 2),
    ("test", "ricord"): (0, 1),
    ("test", "rsna"): (1, 0),
}
PATIENTS = {
    "train": [
        *("cohen/5", "cohen/94", "cohen/94", "figure1/COVID-00039", "actualmed/ANON24"),
        *("actualmed/ANON56", "sirm/COVID 12", "sirm/COVID 3", "ricord/419639-000238"),
        *("rsna/0004cfab-14fd-4e49", "rsna/00313ee0-9eaa-42fa"),
    ],
    "test": ["ricord/419639-000025", "rsna/c6f9f3e5-0b9f-4b4f"],
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few films take the place of the published ones."""
    monkeypatch.setattr(covidx, "COUNTS", COUNTS)


def grey(name):
    seed = sum(map(ord, name))
    return np.random.default_rng(seed).integers(0, 256, (20, 26), dtype=np.uint8)


def name_of(line):
    return line.split()[-3]


def write_list(folder, part, lines, end="\n"):
    path = folder / f"{part}_COVIDx8B.txt"
    path.write_bytes((end.join(lines) + end).encode())


@pytest.fixture
def folder(tmp_path):
    for part, lines in LINES.items():
        (tmp_path / part).mkdir()
        for line in lines:
            image = Image.fromarray(grey(name_of(line)))
            # Some films are colour files of grey pixels, some have transparency.
            mode = ("L", "RGB", "RGBA")[len(line) % 3]
            image.convert(mode).save(tmp_path / part / name_of(line), "PNG")
        write_list(tmp_path, part, lines)
    return tmp_path


@pytest.mark.parametrize("part", ["train", "test", "all"])
def test_every_film_of_a_part(folder, part):
    parts = ["train", "test"] if part == "all" else [part]
    lines = [line for name in parts for line in LINES[name]]
    films = load_covidx8(part, folder, SIZE)
    assert films.groups.tolist() == [patient for name in parts for patient in PATIENTS[name]]
    assert films.targets.tolist() == [int(" positive " in line) for line in lines]
    assert films.factors["file"].tolist() == [name_of(line) for line in lines]
    assert films.factors["part"].tolist() == [name for name in parts for _ in LINES[name]]
    sources = [group.partition("/")[0] for group in films.groups]
    assert films.factors["source"].tolist() == sources
    assert set(films.factors["view"]) == {""}
    wanted = [square_film(grey(name_of(line)), SIZE) for line in lines]
    np.testing.assert_array_equal(films.images, wanted)
    np.testing.assert_array_equal(films.batch([-1, 0]), [wanted[-1], wanted[0]])


def test_a_patient_has_one_name_in_the_part_and_in_the_collection(folder):
    films = load_covidx8("train", folder, SIZE)
    assert {"actualmed/ANON24", "figure1/COVID-00039", "cohen/94"} <= set(films.groups)


def test_sources_are_counted_without_images(folder):
    for path in folder.rglob("*.*g"):
        path.unlink()
    table = count_covidx8_sources(folder)
    found = {place: (int(row["negative"]), int(row["positive"])) for place, row in table.iterrows()}
    assert found == COUNTS
    assert table.loc[("train", "cohen"), "patients"] == 2


def test_other_places_of_lists_and_images(folder):
    (folder / "labels").mkdir()
    (folder / "data").mkdir()
    for part in LINES:
        (folder / f"{part}_COVIDx8B.txt").rename(folder / "labels" / f"{part}_COVIDx8B.txt")
        (folder / part).rename(folder / "data" / part)
    assert len(load_covidx8("all", folder, SIZE)) == 13


@pytest.mark.parametrize("end", ["\r\n", "\n\n", " \n"])
def test_lists_with_other_ends_of_lines(folder, end):
    write_list(folder, "train", LINES["train"], end)
    assert load_covidx8("train", folder, SIZE).groups.tolist() == PATIENTS["train"]


def test_squares_may_be_decoded_once(folder, tmp_path, monkeypatch):
    lazy = load_covidx8("all", folder, SIZE).images
    load_covidx8("all", folder, SIZE, tmp_path / "cache")
    monkeypatch.setattr("sdlib.datasets.film_store.read_film", None)
    films = load_covidx8("all", folder, SIZE, tmp_path / "cache")
    np.testing.assert_array_equal(films.images, lazy)


def test_unknown_part(folder):
    with pytest.raises(ConfigError, match="expected a part of train, test, all, got 'validation'"):
        load_covidx8("validation", folder)


def test_without_the_files_the_way_to_them_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    with pytest.raises(DataError, match=r"set SDLIB_DATA .*'python -m sdlib fetch covidx8' tells"):
        load_covidx8()
    with pytest.raises(DataError, match=r"expected train_COVIDx8B.txt in .*, found none. 'python"):
        load_covidx8("all", tmp_path)


# -- What is not as published


def changed(line, old, new):
    lines = list(LINES["train"])
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (changed(7, "COVID 12 ", ""), "patient, file, class and source in line 7 .*'COVID.12..png"),
        (changed(7, "positive", "COVID-19"), "a class of negative, positive in line 7 .*COVID-19"),
        (changed(7, "sirm", "kaggle"), "expected a source of actmed, .* in line 7 of .*got kaggle"),
        (changed(7, "COVID(12)", "../x"), "expected a file's name in line 7 of .*got ../x.png"),
        (changed(7, "COVID(12)", "images/x"), "expected a file's name in line 7 .*got images/x"),
        (
            changed(7, "COVID(12)", "COVID(3)"),
            r"each film once, got COVID\(3\).png again in line 8",
        ),
        (changed(7, "positive", "negative"), "expected 0 negative films of sirm in .*, got 1"),
        (LINES["train"][:-1], "expected 2 negative films of rsna in .*train_COVIDx8B.txt, got 1"),
        (
            changed(7, "COVID(12)", "COVID(13)"),
            r"expected 11 films in .*train, found 10: the first without a file is COVID\(13\).png "
            r"\(line 7 of train_COVIDx8B.txt\)",
        ),
    ],
)
def test_a_list_that_is_not_the_published_one(folder, lines, message):
    write_list(folder, "train", lines)
    with pytest.raises(DataError, match=message) as error:
        load_covidx8("all", folder)
    assert "\n" not in str(error.value)


def test_films_of_a_source_that_a_list_has_none_of(folder):
    write_list(folder, "test", [*LINES["test"], "5 x.png negative cohen"])
    with pytest.raises(DataError, match=r"expected no films of cohen in .*test_COVIDx8B.txt, got"):
        load_covidx8("test", folder)


def test_a_list_that_is_no_text(folder):
    (folder / "train_COVIDx8B.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"train_COVIDx8B.txt cannot be read"):
        load_covidx8("train", folder)


def test_a_damaged_film_is_named_with_its_line(folder):
    path = folder / "train" / "COVID(12).png"
    path.write_bytes(path.read_bytes()[:-60])
    films = load_covidx8("train", folder, SIZE)
    assert len(films.batch([5, 7])) == 2
    with pytest.raises(DataError, match=r"COVID\(12\).png \(row 7 of train_COVIDx8B.txt\) cannot"):
        films.batch([6])


def test_the_published_numbers(monkeypatch):
    monkeypatch.undo()
    by_part = {"train": [0, 0], "test": [0, 0]}
    for (part, _), counts in covidx.COUNTS.items():
        by_part[part] = [a + b for a, b in zip(by_part[part], counts, strict=True)]
    # The numbers of the publishers' own table, and those of the lists' lines.
    assert by_part == {"train": [13_794, 2_158], "test": [200, 200]}
    assert sum(by_part["train"]) == 15_952
    sources = {source for (part, source) in covidx.COUNTS if part == "test"}
    assert sources == {"rsna", "ricord"}
