"""Labels of a user's own: which words are positive, and how a wrong word is explained."""

import pandas as pd
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from sdlib.datasets.group_names import canonical
from sdlib.datasets.labels import Classes, binary_labels, check_classes
from sdlib.datasets.manifest import ManifestDataset
from sdlib.errors import ConfigError, DataError

WORDS = ["benign", "tumour", "benign", "Tumour", "normal"]


def series(words):
    return pd.Series(words, index=range(2, 2 + len(words)))


def targets(words, positive):
    return binary_labels(series(words), positive, "manifest.csv")[0].tolist()


@pytest.mark.parametrize(
    ("positive", "wanted"),
    [
        ("tumour", [0, 1, 0, 1, 0]),
        ("TUMOUR", [0, 1, 0, 1, 0]),
        (("tumour",), [0, 1, 0, 1, 0]),
        ("tumour,normal", [0, 1, 0, 1, 1]),
        (" tumour , normal, ", [0, 1, 0, 1, 1]),
        (["tumour", "normal"], [0, 1, 0, 1, 1]),
        (["tumour,normal", "normal"], [0, 1, 0, 1, 1]),
        ("benign", [1, 0, 1, 0, 0]),
    ],
)
def test_words_that_are_positive(positive, wanted):
    assert targets(WORDS, positive) == wanted


def test_numbers_are_the_default_and_may_be_named():
    assert targets(["0", "1", "1.0", "0.0"], None) == [0, 1, 1, 0]
    assert targets(["0", "1", "1.0", "2"], "1") == [0, 1, 1, 0]
    assert targets(["0", "3", "4.0", "5"], "3,4,5") == [0, 1, 1, 1]


def test_a_label_may_have_a_comma():
    words = ["carcinoma, NOS", "normal", "NOS"]
    assert targets(words, "carcinoma, NOS") == [1, 0, 0]
    assert targets(words, ["Carcinoma, nos", "NOS"]) == [1, 0, 1]


def test_what_the_classes_are_called():
    _, classes = binary_labels(series(WORDS), "tumour", "manifest.csv")
    assert classes == Classes(("benign", "normal"), ("Tumour", "tumour"))
    assert binary_labels(series(["0", "1"]), None, "manifest.csv")[1] == Classes()


@given(st.lists(st.text(min_size=1).filter(canonical), min_size=1), st.data())
def test_every_label_that_can_be_seen_can_be_named(words, data):
    named = data.draw(st.sampled_from(words))
    assert targets(words, (named,))[words.index(named)] == 1


@pytest.mark.parametrize(
    ("positive", "message"),
    [
        ("tumor", "positive label tumor among the labels of manifest.csv, got Tumour, benign, "),
        ("tumour,malign", "expected the positive label malign among the labels"),
        ("", "expected the name of a positive label, got none"),
        (",", "expected the name of a positive label, got none"),
        ([], "expected the name of a positive label, got none"),
        (3, "expected positive to be a label or several, such as 'tumour', got 3"),
        ([3], r"expected positive to be a label or several, such as 'tumour', got \[3\]"),
    ],
)
def test_names_that_are_wrong(positive, message):
    with pytest.raises(ConfigError, match=message):
        targets(WORDS, positive)


def test_words_without_a_name_for_the_positive():
    with pytest.raises(DataError, match=r"got benign in row 2 .*--positive tumour") as found:
        targets(["benign", "tumour"], None)
    assert str(found.value).count("\n") == 0


def test_many_or_long_labels_do_not_fill_the_screen():
    words = [f"word{i:03}" * 100 for i in range(100)]
    with pytest.raises(ConfigError) as found:
        targets(words, "tumour")
    assert "and 90 more" in str(found.value)
    assert len(str(found.value)) < 700


def test_one_class_only():
    with pytest.raises(DataError, match="both labels 0 and 1 in the manifest, got only 1"):
        check_classes(series([1, 1]), Classes(), "the manifest")
    both = Classes(("benign",), ("tumour",))
    message = r"got only negative ones \(positive: tumour; negative: benign\)"
    with pytest.raises(DataError, match=message):
        check_classes(series([0, 0]), both, "the train split")
    check_classes(series([]), both, "the train split")


def manifest(folder, rows):
    for i in range(len(rows)):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(folder / f"{i}.png")
    lines = [f"{i}.png,{row}" for i, row in enumerate(rows)]
    (folder / "manifest.csv").write_text("\n".join(["file,label,group,split", *lines]))
    return folder


def test_a_folder_with_words(tmp_path):
    rows = ["benign,a,train", "tumour,b,train", "Tumour,c,test", "normal,d,test"]
    dataset = ManifestDataset(manifest(tmp_path, rows), size=8, positive="tumour")
    assert dataset.targets.tolist() == [0, 1, 1, 0]
    assert dataset.targets.dtype == "int64"
    assert dataset.classes.names == ("benign, normal", "Tumour, tumour")
    assert dataset[2][1] == 1
    assert dataset.split("test").targets.tolist() == [1, 0]
    assert dataset.to_tiles(8, tmp_path / "tiles").targets.tolist() == [0, 1, 1, 0]


def test_all_labels_match(tmp_path):
    folder = manifest(tmp_path, ["tumour,a,train", "Tumour,b,test"])
    message = r"manifest.csv, got only positive ones \(positive: Tumour, tumour; negative: none\)"
    with pytest.raises(DataError, match=message):
        ManifestDataset(folder, positive="tumour")
