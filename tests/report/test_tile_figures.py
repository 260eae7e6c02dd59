"""Pictures of tiles, panels that know when there is nothing to draw, tiles for pages."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from sdlib import plotting
from sdlib.cutouts import N_CUTOUTS
from sdlib.experiments import EXPERIMENTS
from sdlib.metrics import mean_interval
from sdlib.paths import ROOT
from sdlib.report import tile_figures


@pytest.fixture(autouse=True)
def agg():
    """Draw into memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def test_the_pair_differs_in_sixteen_black_squares_only():
    without, cut = tile_figures.cutout_pair()
    assert without.shape == cut.shape == (224, 224, 3)
    changed = (without != cut).any(axis=2)
    assert (cut[changed] == 0).all()
    # No two of this seed's squares overlap, as one can count in the picture.
    assert changed.sum() == N_CUTOUTS * 8 * 8


def test_the_readmes_picture_is_the_saved_pair(tmp_path):
    path = tmp_path / "pair.png"
    tile_figures.save_pair(path, zoom=2, gap=16)
    picture = np.asarray(Image.open(path))
    without, cut = tile_figures.cutout_pair()
    assert picture.shape == (448, 448 + 16 + 448, 3)
    assert (picture[::2, :448:2] == without).all()
    assert (picture[1::2, 465::2] == cut).all()
    assert path.stat().st_size < 300_000
    saved = np.asarray(Image.open(ROOT / "book" / "images" / "cutout_pair.png"))
    apart = np.abs(saved.astype(int) - picture)
    # Another processor may round a few bytes the other way.
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


def test_tiles_are_in_one_row_with_their_titles():
    tiles = tile_figures.example_tiles(32)
    fig = tile_figures.show_tiles(tiles, ["benign", "cancer"])
    assert [ax.get_title() for ax in fig.axes] == ["benign", "cancer"]
    assert all((ax.images[0].get_array() == t).all() for ax, t in zip(fig.axes, tiles, strict=True))
    with pytest.raises(ValueError, match="shorter"):
        tile_figures.show_tiles(tiles, ["benign"])


def test_pages_get_the_profiles_tiles(smoke):
    tiles, sentence = tile_figures.live_tiles("smoke", "phantom")
    assert set(tiles) == {"train", "validation", "test"}
    count = len(tiles["train"])
    assert sentence.startswith(
        f"Made for this page: {count} training tiles of phantom, 32 x 32 px."
    )


def test_where_a_source_is_missing_phantom_tiles_take_its_place(smoke):
    tiles, sentence = tile_figures.live_tiles("smoke", "open")
    assert "development" in tiles["train"].groups[0]
    assert "because open is not at hand" in sentence


# -- Panels


def test_panels_are_named_and_those_left_over_are_gone():
    names = ["weight_decay", "sd_eq1", "anything else", "control", "sd_eq2"]
    found = plotting.panels(names, "nothing", per_row=3, xlabel="accuracy")
    assert list(found) == names
    assert len(plt.gcf().axes) == 5
    assert found["anything else"].get_title() == "anything else"
    assert plt.gcf().get_supxlabel() == "accuracy"
    # Nothing is below the third panel: it has to show the numbers itself.
    assert found["anything else"].xaxis.get_tick_params()["labelbottom"]
    assert not found["weight_decay"].xaxis.get_tick_params()["labelbottom"]


def test_panels_of_arms_are_titled_by_their_labels():
    found = plotting.panels({"sd_eq1": "SD Eq. 1"}, "nothing")
    assert found["sd_eq1"].get_title() == "SD Eq. 1"


def test_without_names_the_figure_says_why():
    assert plotting.panels([], "no rows: run make reproduce") == {}
    texts = [text.get_text() for ax in plt.gcf().axes for text in ax.texts]
    assert texts == ["no rows: run make reproduce"]


LOOKS = {arm.name: arm.style for arm in EXPERIMENTS["cutout"].arms}


def test_arm_rows_draw_each_seed_and_the_interval():
    fig, ax = plt.subplots()
    values = {
        "weight_decay": np.array([0.7, 0.75, 0.8]),
        "sd_eq1": np.empty(0),
        "control": np.array([0.95]),
    }
    plotting.arm_rows(ax, values, LOOKS)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        LOOKS[arm].label for arm in values
    ]
    assert len(ax.containers) == 2  # an arm without values has none
    drawn = ax.containers[0].lines
    interval = mean_interval(values["weight_decay"])
    assert drawn[0].get_xdata() == pytest.approx([interval.mean])
    ends = drawn[2][0].get_segments()[0][:, 0]
    assert ends == pytest.approx([interval.low, interval.high])
    assert ax.yaxis_inverted()
    fig.canvas.draw()


def drawn_ends(values):
    """Where the interval of one arm's seeds begins and ends in the figure."""
    _, ax = plt.subplots()
    plotting.arm_rows(ax, {"control": np.array(values)}, LOOKS)
    (container,) = ax.containers
    marker, _, bars = container.lines
    assert marker.get_xdata() == pytest.approx([np.mean(values)])
    return bars[0].get_segments()[0][:, 0] if bars else []


def test_an_interval_is_drawn_as_far_as_there_can_be_values():
    values = [0.7, 0.8, 0.99]
    assert mean_interval(values).high > 1
    assert drawn_ends(values) == pytest.approx([mean_interval(values).low, 1])


def test_two_seeds_have_a_marker_without_a_bar():
    assert list(drawn_ends([0.7, 0.8])) == []
