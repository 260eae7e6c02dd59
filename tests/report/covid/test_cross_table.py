"""Label by source: against counts by hand, brute force, and a folder of the user's own."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from sdlib.datasets import ManifestDataset
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.metrics import auroc
from sdlib.report.covid.cross_table import auroc_by_source, cross_table, source_table

few = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 1)), min_size=1, max_size=30)


def films(rows, groups=None):
    """A set with a source and a target for each row."""
    sources, targets = zip(*rows, strict=True)
    groups = np.arange(len(rows)).astype(str) if groups is None else np.array(groups)
    images = np.zeros((len(rows), 4, 4, 3), np.uint8)
    return TileSet(images, np.array(targets), groups, {"source": np.array(sources)})


def test_counts_by_hand():
    table = cross_table(
        films([("nih", 0), ("hannover", 1), ("nih", 0), ("cohen", 1), ("cohen", 0)], list("aabcc")),
        names=("others", "COVID-19"),
    )
    assert table["source"].tolist() == ["cohen", "hannover", "nih", "all"]
    assert table["others"].tolist() == [1, 0, 2, 3]
    assert table["COVID-19"].tolist() == [1, 1, 0, 2]
    assert table["groups"].tolist() == [1, 1, 2, 3]
    assert table["share positive"].tolist() == [0.5, 1, 0, 0.4]
    # Of six pairs, hannover leads all three; cohen leads nih twice and ties with itself.
    assert table["AUROC of the source"].tolist()[-1] == pytest.approx(5.5 / 6)
    assert table["AUROC of the source"][:3].isna().all()


def test_a_source_may_be_called_all():
    table = cross_table(films([("all", 0), ("b", 1)]))
    assert table.iloc[:, :3].to_numpy().tolist() == [["all", 1, 0], ["b", 0, 1], ["all", 1, 1]]


@settings(max_examples=20, deadline=None)
@given(few)
def test_counts_equal_crosstab(rows):
    table = cross_table(films(rows)).set_index("source")
    frame = pd.DataFrame(rows, columns=["source", "target"])
    expected = pd.crosstab(frame["source"], frame["target"]).reindex(columns=[0, 1], fill_value=0)
    assert table.loc[expected.index, "negative"].tolist() == expected[0].tolist()
    assert table.loc[expected.index, "positive"].tolist() == expected[1].tolist()
    assert table.loc["all", ["negative", "positive"]].sum() == len(rows)


@settings(max_examples=15, deadline=None)
@given(few)
def test_no_rule_of_the_source_is_better(rows):
    data = films(rows)
    sources = data.factors["source"]
    found = auroc_by_source(data.targets, sources)
    if len(set(data.targets)) < 2:
        assert np.isnan(found)
        return
    # Every order of the four sources, brute force; ties cannot beat the best order.
    best = max(
        auroc(data.targets, [order.index(source) for source in sources])
        for order in itertools.permutations("abcd")
    )
    assert found == pytest.approx(best)
    assert 0.5 <= found <= 1


def test_the_two_extremes():
    assert auroc_by_source(np.array([0, 1, 0]), np.array(list("aba"))) == 1
    assert auroc_by_source(np.array([0, 1, 0, 1]), np.array(list("aabb"))) == 0.5


def test_several_sets():
    sets = {
        "inside": films([("a", 0), ("b", 1)]),
        "outside": films([("c", 0), ("c", 1), ("c", 1)], list("xyy")),
        "one label": films([("c", 1)]),
    }
    table = source_table(sets)
    assert table.iloc[:, :5].to_numpy().tolist() == [
        ["inside", 2, 2, 2, 0],
        ["outside", 3, 2, 1, 1],
        ["one label", 1, 1, 1, 0],
    ]
    np.testing.assert_array_equal(table["AUROC of the source"], [1, 0.5, np.nan])


@pytest.fixture
def folder(tmp_path):
    lines = ["file,label,group,source,view"]
    for i, (source, label) in enumerate([("a", 0), ("a", 1), ("b", 1), ("b", 1)]):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{label},p{i},{source},{'PA' if i else ''}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path


def test_a_folder_with_a_manifest(folder):
    table = cross_table(folder)
    assert table[["source", "negative", "positive"]].to_numpy().tolist() == [
        ["a", 1, 1],
        ["b", 0, 2],
        ["all", 1, 3],
    ]
    pd.testing.assert_frame_equal(table, cross_table(ManifestDataset(folder)))
    pd.testing.assert_frame_equal(table, cross_table(ManifestDataset(folder).to_tiles(8, folder)))
    assert table["AUROC of the source"].iloc[-1] == pytest.approx(5 / 6)


def test_another_column_with_an_unknown_view(folder):
    assert cross_table(folder, "view")["view"].tolist() == ["(unknown)", "PA", "all"]


def test_a_missing_column_is_named(folder):
    with pytest.raises(DataError, match=r"column hospital in .*manifest.csv, got .*source"):
        cross_table(folder, "hospital")
    with pytest.raises(DataError, match="column hospital in the images' factors, got source"):
        cross_table(films([("a", 0)]), "hospital")
    with pytest.raises(DataError, match="expected images, got none"):
        cross_table(films([("a", 0)]).subset([]))
    with pytest.raises(ConfigError, match="got list"):
        cross_table([1])
