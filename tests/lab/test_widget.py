"""The shift lab without a kernel: what its widgets hold after each move, against the library."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import ipywidgets
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import save_file
from scipy.special import expit

from sdlib import shifts
from sdlib.cutouts import cutout_mask
from sdlib.errors import ConfigError, DataError
from sdlib.lab import Lab, disturb, fallback_strip, has_frontend, opening, show
from sdlib.lab.curves import Curves
from sdlib.lab.networks import LabNetworks
from sdlib.lab.panels import SCALES, arm_key, arm_marker, predictions_html
from sdlib.lab.pictures import STRIP_LEVELS
from sdlib.lab.sources import recorded_networks
from sdlib.paths import ROOT
from sdlib.plotting import ARMS
from sdlib.shifts import LEVELS, Level
from sdlib.training.prediction import predict_logits

KEYS = [("weight_decay_none", 0), ("weight_decay_none", 1), ("sd_eq1_none", 0)]
TABLE = ["shift", "strength", "arm", "seed", "accuracy"]
EACH_SHIFT = pytest.mark.parametrize("shift", SCALES)


@pytest.fixture(scope="module")
def table():
    """Accuracies that name their own level: falling by .01 a step, a little more for one seed."""
    lines = [("clean", np.nan, arm, seed, 0.9 - 0.02 * seed) for arm, seed in KEYS]
    for shift, scale in SCALES.items():
        lines += [
            (shift, strength, arm, seed, 0.9 - 0.01 * k - 0.02 * seed)
            for k, strength in enumerate(scale)
            for arm, seed in KEYS
            if (shift, strength) != ("blur", 1)
        ]
    return pd.DataFrame(lines, columns=TABLE)


@pytest.fixture
def lab(toy_tiles, toy_network, table):
    networks = LabNetworks({key: toy_network(seed) for seed, key in enumerate(KEYS)}, 40)
    return Lab(toy_tiles(6, size=40, seed=1), networks, Curves(table, networks.arms, "made up"))


@pytest.fixture
def bare(toy_tiles):
    """A lab on a machine without networks and accuracies."""
    missing = Curves(pd.DataFrame(columns=TABLE), (), "no sweep yet")
    return Lab(toy_tiles(2, size=24), LabNetworks(), missing)


def decoded(picture):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(picture.value, np.uint8), 1), cv2.COLOR_BGR2RGB)


def texts(widget):
    return " ".join(w.value for w in leaves(widget) if isinstance(w, ipywidgets.HTML))


def leaves(widget):
    for child in getattr(widget, "children", ()):
        yield from leaves(child)
    yield widget


def parsed(html):
    return ElementTree.fromstring(f"<div>{html}</div>")


# -- Pictures


def test_sliders_have_the_papers_levels_and_begin_without_a_shift(lab):
    for shift, slider in lab.sliders.items():
        values = [value for _, value in slider.options]
        own = [level.strength for level in LEVELS if level.shift == shift]
        assert values == ([1, *own] if shift == "blur" else own)
        assert slider.value == values[0]
    np.testing.assert_array_equal(decoded(lab.after), lab.tiles.images[0])


@EACH_SHIFT
def test_a_moved_slider_shows_the_librarys_own_transform(lab, shift):
    for strength in SCALES[shift]:
        lab.sliders[shift].value = strength
        expected = shifts.apply(lab.tiles.images[0], Level(shift, strength))
        np.testing.assert_array_equal(decoded(lab.after), expected)
    assert not np.array_equal(decoded(lab.after), lab.tiles.images[0])
    np.testing.assert_array_equal(decoded(lab.before), lab.tiles.images[0])


def test_all_four_combine_stains_then_blur_then_sharpening(lab):
    moves = {"sharpen": 0.7, "blur": 12, "eosin": 0.4, "haematoxylin": 0.2}  # order is no matter
    for shift, strength in moves.items():
        lab.sliders[shift].value = strength
    image = shifts.fade_stain(lab.tiles.images[0], 0.2, 0.4)
    image = shifts.sharpen(shifts.blur(image, 12 * 40 / 224), 0.7)
    np.testing.assert_array_equal(decoded(lab.after), image)
    assert lab.settings == moves
    other = shifts.blur(shifts.sharpen(lab.tiles.images[0], 0.7), 12 * 40 / 224)
    assert not np.array_equal(shifts.fade_stain(other, 0.2, 0.4), image)


@settings(deadline=None)  # the first call compiles
@given(st.integers(16, 40), st.integers(0, 99))
def test_no_shift_leaves_a_tile_as_it_is(size, seed):
    image = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    shifted = disturb(image)
    np.testing.assert_array_equal(shifted, image)
    assert not np.shares_memory(shifted, image)


def test_reset_restores_with_one_new_picture(lab):
    for shift, slider in lab.sliders.items():
        slider.value = SCALES[shift][-1]
    pictures = []
    lab.after.observe(pictures.append, "value")
    lab.reset.click()
    assert [slider.value for slider in lab.sliders.values()] == [s[0] for s in SCALES.values()]
    assert len(pictures) == 1
    assert lab.after.value == lab.before.value


def test_squares_are_laid_on_last_and_one_more_leaves_the_others(lab):
    lab.sliders["blur"].value = 15
    blurred = decoded(lab.after)
    before = np.zeros(blurred.shape[:2], bool)
    for n in (1, 5, 16):
        lab.squares.value = n
        black = (decoded(lab.after) == 0).all(axis=2)
        mask = cutout_mask(np.array([lab.corners]), 40, 1)[0]
        assert black[mask].all()
        assert black[before].all()
        np.testing.assert_array_equal(decoded(lab.after)[~mask], blurred[~mask])
        before = mask
    assert f"black squares: {n}" in texts(lab)


def test_squares_move_elsewhere_and_reset_takes_them_away(lab):
    lab.squares.value = 8
    before = lab.corners
    lab.elsewhere.click()
    assert lab.corners != before
    np.testing.assert_array_equal(
        decoded(lab.after), disturb(lab.tiles.images[0], squares=lab.corners)
    )
    lab.reset.click()
    assert lab.corners == []
    assert lab.after.value == lab.before.value


@pytest.mark.parametrize("corner", [(40, 0), (0, -1), (0, 40)])
def test_a_square_that_is_not_inside_is_refused(toy_tiles, corner):
    with pytest.raises(ConfigError, match="inside images of 40 x 40 px"):
        disturb(toy_tiles(2, 40).images[0], squares=[corner])


def test_another_tile_keeps_the_shift(lab):
    lab.sliders["blur"].value = 15
    for k, target in enumerate(lab.tiles.targets):
        lab.tile.value = k
        np.testing.assert_array_equal(decoded(lab.before), lab.tiles.images[k])
        np.testing.assert_array_equal(decoded(lab.after), disturb(lab.tiles.images[k], blur=15))
        name = ("benign", "cancer")[target]
        assert f"true class: {name}" in texts(lab)
        assert f"this tile is {name}" in texts(lab)
        assert lab.tile.label.endswith(name)


def test_words_say_what_was_done_and_when_it_does_nothing(lab):
    assert "no shift" in texts(lab)
    lab.sliders["blur"].value = 5
    assert "blur n = 5 (1.0 px here: no change)" in texts(lab)
    lab.sliders["blur"].value = 14
    lab.sliders["eosin"].value = 0.3
    assert lab.after.tooltip == "the tile after: eosin × 0.3, blur n = 14 (2.5 px here)"


@pytest.mark.parametrize(("size", "side"), [(24, 264), (64, 256), (96, 288), (224, 224)])
def test_every_pixel_is_shown_as_a_whole_square(toy_tiles, size, side):
    picture = Lab(toy_tiles(2, size), LabNetworks(), Curves(pd.DataFrame(columns=TABLE), ())).after
    assert picture.layout.width == picture.layout.height == f"{side}px"


# -- Predictions


def test_predictions_are_predict_logits(lab):
    lab.sliders["haematoxylin"].value = 0.1
    lab.tile.value = 3
    shifted = disturb(lab.tiles.images[3], haematoxylin=0.1)
    for key, network in lab.networks.networks.items():
        expected = expit(predict_logits(network, shifted[None]))[0]
        assert lab.probabilities[key] == pytest.approx(expected, abs=1e-6)


def test_the_panel_names_mean_seeds_and_what_was_before():
    now = {("sd", 0): 0.2, ("sd", 1): 0.6, ("cross_entropy", 0): 0.9}
    before = {("sd", 0): 0.1, ("sd", 1): 0.2, ("cross_entropy", 0): 0.8}
    rows = parsed(predictions_html(now, before, 1)).findall(".//tbody/tr")
    cells = [["".join(cell.itertext()) for cell in row] for row in rows]
    assert cells[0] == ["spectral decoupling", "", "0.40 (was 0.15)", "0.20 0.60"]
    assert cells[1] == ["cross-entropy", "", "0.90 (was 0.80)", "0.90"]
    dots = [float(dot.get("cx")) for dot in rows[0].findall(".//circle")]
    ends = [8, 192]  # of the line from 0 to 1
    assert dots == pytest.approx([ends[0] + p * (ends[1] - ends[0]) for p in (0.2, 0.6)], abs=0.06)
    assert rows[0].find(".//rect").get("x") == "100.0"  # the half of cancer


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_has_its_marker_centred_and_of_the_asked_size(arm):
    found = parsed(arm_marker(arm, 30, 40, 10))[0]
    numbers = [float(x) for x in re.findall(r"-?\d+\.\d+", found.get("d"))]
    points = np.array(numbers).reshape(-1, 2)
    assert np.abs(points).max() < 0.75
    assert np.ptp(points, axis=0).min() > 0.5
    assert found.get("transform") == "translate(30.0 40.0) scale(10)"


# -- Curves


def marker_of(html):
    return float(parsed(html).find(".//line[@class='here']").get("x1"))


@EACH_SHIFT
def test_the_marker_stands_at_the_sliders_value(lab, shift):
    """The curve's own points are the oracle: one a level, in the slider's order."""
    lab.sliders[shift].value = SCALES[shift][1]
    lab.sliders[shift].value = SCALES[shift][0]
    for k, strength in enumerate(SCALES[shift]):
        lab.sliders[shift].value = strength
        html = lab.texts["curve"].value
        line = parsed(html).find(".//svg[@role='img']//polyline").get("points").split()
        assert len(line) == len(SCALES[shift])
        assert marker_of(html) == pytest.approx(float(line[k].split(",")[0]))


def test_the_curve_is_that_of_the_slider_moved_last(lab):
    assert "the blur slider alone" in texts(lab)
    lab.sliders["eosin"].value = 0.5
    lab.tile.value = 2
    assert "the eosin slider alone" in texts(lab)
    lab.sliders["sharpen"].value = 0.5
    assert "the sharpening slider alone" in texts(lab)
    lab.reset.click()
    assert marker_of(lab.texts["curve"].value) == Curves.marker_x("sharpen", 0.0)


def test_heights_are_those_of_the_vertical_axis(table):
    html = parsed(Curves(table, ["sd_eq1_none"]).html("blur", 1))
    ticks = {t.text: float(t.get("y")) - 4 for t in html.findall(".//text") if t.get("x") == "38"}
    heights = [float(p.split(",")[1]) for p in html.find(".//svg/g/polyline").get("points").split()]
    values = [0.9 - 0.01 * k for k in range(20)]
    expected = np.interp(values, [0.4, 1.0], [ticks["0.4"], ticks["1.0"]])
    np.testing.assert_allclose(heights, expected, atol=0.11)


def test_numbers_beside_the_curve_are_mean_and_sd_over_seeds(table):
    curves = Curves(table, ["weight_decay_none", "sd_eq1_none", "sd_eq1_blur"])
    assert curves.arms == ["weight_decay_none", "sd_eq1_none"]
    mean, sd, n = curves.at("eosin", 0.8)["weight_decay_none"]
    assert (mean, sd, n) == (
        pytest.approx(np.mean([0.88, 0.86])),
        pytest.approx(np.std([0.88, 0.86], ddof=1)),
        2,
    )
    assert curves.at("blur", 1)["sd_eq1_none"][0] == pytest.approx(0.9)  # the unshifted tiles
    rows = parsed(curves.html("eosin", 0.8)).findall(".//tbody/tr")
    cells = ["".join(row.itertext()) for row in rows]
    assert cells[0].endswith("0.8700.0142")
    assert cells[1].endswith("0.880–1")


def test_a_level_that_was_not_measured_is_not_drawn(table):
    some = table[table["strength"] != 0.5]
    html = Curves(some, ["sd_eq1_none"]).html("eosin", 0.5)
    assert "This level was not measured." in html
    points = parsed(html).find(".//svg/g/polyline").get("points").split()
    assert len(points) == len(SCALES["eosin"]) - 1


def test_low_accuracies_stay_inside_the_axes(table):
    low = table.assign(accuracy=table["accuracy"] - 0.69)
    html = parsed(Curves(low, ["sd_eq1_none"]).html("blur", 20))
    points = html.find(".//svg/g/polyline").get("points").split()
    heights = [float(point.split(",")[1]) for point in points]
    ticks = [float(t.get("y1")) for t in html.findall(".//svg/line")]
    assert max(heights) <= max(ticks)


def test_a_table_without_a_column_is_refused(table):
    with pytest.raises(DataError, match="expected a column 'accuracy'"):
        Curves(table.drop(columns="accuracy"), KEYS)


@pytest.mark.parametrize("column", TABLE)
def test_every_column_is_missed_by_its_name(table, column):
    with pytest.raises(DataError, match=f"expected a column '{column}' .*Sweep.accuracy"):
        Curves(table.drop(columns=column), KEYS)


def test_a_seed_without_an_accuracy_is_left_out_and_counted(table):
    """As if its line were not there."""
    one = (table["arm"] == "weight_decay_none") & (table["seed"] == 1)
    some = table.assign(accuracy=table["accuracy"].mask(one))
    arms = ["weight_decay_none", "sd_eq1_none"]
    found, expected = Curves(some, arms, "made up."), Curves(table[~one], arms)
    assert repr(found.at("eosin", 0.8)) == repr(expected.at("eosin", 0.8))
    assert found.at("eosin", 0.8)["weight_decay_none"][2] == 1
    html = found.html("eosin", 0.8)
    assert "nan" not in html.lower().replace("are nan and", "")
    assert f"made up. {one.sum()} of {len(table)} accuracies are NaN and left out." in html


def test_a_level_without_accuracies_was_not_measured(table):
    half = table["strength"] == 0.5
    holes = table.assign(accuracy=table["accuracy"].mask(half))
    html = Curves(holes, ["sd_eq1_none"]).html("eosin", 0.5)
    assert "This level was not measured." in html
    assert len(parsed(html).find(".//svg/g/polyline").get("points").split()) == 10


@pytest.mark.parametrize("empty", [lambda t: t[:0], lambda t: t.assign(accuracy=np.nan)])
def test_a_table_without_accuracies_makes_no_curves(table, empty, toy_tiles):
    curves = Curves(empty(table), ["sd_eq1_none"])
    assert not curves
    assert "There are no accuracies under shift here." in curves.html("blur", 5)
    shown = Lab(toy_tiles(2, 24), LabNetworks(), curves)
    assert "There are no accuracies under shift here." in texts(shown)


@pytest.mark.parametrize("column", ["accuracy", "strength"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, -0.1, "high"])
def test_what_is_no_accuracy_or_strength_is_refused(table, column, value):
    with pytest.raises(DataError, match=f"expected .*{column} .*in the table of accuracies"):
        Curves(table.assign(**{column: value}), ["sd_eq1_none"])
    if column == "accuracy":
        with pytest.raises(DataError, match=r"expected accuracy from 0 to 1 .*, found 1\.5"):
            Curves(table.assign(accuracy=1.5), ["sd_eq1_none"])


# -- Text from files


HOSTILE = "<img src=x onerror=alert(1)>"


def elements(shown):
    """Names of all elements in all texts of a widget; its styles are no XML."""
    pages = (w.value for w in leaves(shown) if isinstance(w, ipywidgets.HTML))
    return {each.tag for page in pages if "<style>" not in page for each in parsed(page).iter()}


@pytest.mark.parametrize("options", [{"profile": HOSTILE}, {"problem": HOSTILE}])
def test_what_a_file_says_of_its_networks_is_shown_as_text(toy_tiles, toy_network, options):
    networks = LabNetworks({KEYS[0]: toy_network()}, 24, **options)
    shown = Lab(toy_tiles(2, 24), networks, Curves.without(HOSTILE))
    assert "img" not in elements(shown)
    assert texts(shown).count("&lt;img src=x onerror=alert(1)&gt;") == 2


def test_labels_of_arms_and_sentences_are_shown_as_text(lab, table, monkeypatch):
    arm = KEYS[0][0]
    look = replace(ARMS[arm], label=HOSTILE, colour='#000"><img src=x>')
    monkeypatch.setitem(ARMS, arm, look)
    pages = (
        arm_key(arm),
        predictions_html({KEYS[0]: 0.3}, {KEYS[0]: 0.2}, 0),
        Curves(table, [arm], HOSTILE).html("blur", 5),
    )
    for page in pages:
        assert parsed(page).find(".//img") is None
        assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_broken_files_leave_a_lab_that_says_so(smoke, tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_RECORDED", str(tmp_path))
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    recorded_networks().write_text(pointer)
    (tmp_path / "robustness-phantom-laptop-sweep.npz").write_text(pointer)
    shown = opening.lab()
    assert "because the networks cannot be read: " in texts(shown)
    assert "git lfs pull" in texts(shown)
    shown.sliders["sharpen"].value = 1.0
    expected = shifts.sharpen(shown.tiles.images[0], 1.0)
    np.testing.assert_array_equal(decoded(shown.after), expected)


def test_a_lab_shows_a_hostile_profile_as_text(smoke, tmp_path, monkeypatch, toy_network):
    monkeypatch.setenv("SDLIB_RECORDED", str(tmp_path))
    about = {"experiment": "robustness", "source": "phantom", "network": "test_resnet"}
    about |= {"profile": HOSTILE, "size": "64"}
    save_file({"sd_eq1_none/seed0/a": torch.zeros(1)}, recorded_networks(), about)
    shown = opening.lab()
    assert "img" not in elements(shown)
    assert "unknown profile" in texts(shown)
    assert "&lt;img src=x onerror=alert(1)&gt;" in texts(shown)


# -- Without networks, without a kernel


def test_without_networks_there_are_pictures_and_the_command(bare):
    bare.sliders["sharpen"].value = 1.0
    expected = shifts.sharpen(bare.tiles.images[0], 1.0)
    np.testing.assert_array_equal(decoded(bare.after), expected)
    assert bare.probabilities == {}
    assert "make reproduce" in texts(bare)
    assert "no sweep yet" in texts(bare)


def test_tiles_that_do_not_fit_are_refused(toy_tiles, toy_network):
    empty = Curves(pd.DataFrame(columns=TABLE), ())
    with pytest.raises(ConfigError, match="tiles of 40 px, got 24 px"):
        Lab(toy_tiles(2, 24), LabNetworks({KEYS[0]: toy_network()}, 40), empty)
    with pytest.raises(ConfigError, match="at least one tile"):
        Lab(toy_tiles(2, 24).subset([]), LabNetworks(), empty)


def test_networks_are_asked_in_evaluation_mode(toy_network):
    network = toy_network().train()
    asked = LabNetworks({KEYS[0]: network}, 8)
    image = np.zeros((8, 8, 3), np.uint8)
    assert asked.probabilities(image) == asked.probabilities(image)  # dropout would differ
    assert int(network.state_dict()["layers.1.num_batches_tracked"]) == 0


def test_the_strip_shows_the_librarys_levels():
    figure = fallback_strip(size=32)
    panels = figure.axes
    tile = panels[0].images[0].get_array()
    for k, (shift, strengths) in enumerate(STRIP_LEVELS.items()):
        row = panels[6 * k : 6 * k + 6]
        np.testing.assert_array_equal(row[0].images[0].get_array(), tile)
        for ax, strength in zip(row[1:], strengths, strict=True):
            expected = shifts.apply(np.asarray(tile), Level(shift, strength))
            np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    opening.plt.close(figure)


def test_a_static_page_gets_a_sentence_and_a_strip(monkeypatch):
    shown = []
    monkeypatch.setattr(opening, "display", shown.append)
    monkeypatch.setattr(opening, "fallback_strip", lambda: fallback_strip(32))
    show(live=False)
    sentence, figure = shown
    assert "needs a running kernel" in sentence.data
    assert "make lab" in sentence.data
    assert not opening.plt.fignum_exists(figure.number)  # or it would be shown twice


def test_a_live_page_gets_the_lab(monkeypatch, bare):
    shown = []
    monkeypatch.setattr(opening, "display", shown.append)
    monkeypatch.setattr(opening, "lab", lambda: bare)
    show(live=True)
    assert shown == [bare]


@pytest.mark.parametrize(
    ("name", "value", "live"),
    [
        ("JPY_SESSION_NAME", "/book/05.ipynb", True),  # JupyterLab's kernels
        ("SERVER_SOFTWARE", "voila/0.5.13", True),
        ("SERVER_SOFTWARE", "another/1.0", False),
        ("HOME", "/", False),  # papermill's
    ],
)
def test_a_kernel_knows_whether_a_server_started_it(monkeypatch, name, value, live):
    for variable in ("JPY_SESSION_NAME", "SERVER_SOFTWARE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, value)
    assert has_frontend() is live


def test_the_notebook_is_bare_and_no_page_of_the_site():
    notebook = nbformat.read(ROOT / "book" / "lab" / "shift_lab.ipynb", as_version=4)
    assert [cell.id for cell in notebook.cells] == ["title", "lab"]
    assert notebook.cells[1].outputs == []
    assert notebook.cells[1].execution_count is None
    assert "shift_lab" not in (ROOT / "_toc.yml").read_text()


def test_probabilities_need_no_gradient(toy_network):
    network = toy_network()
    LabNetworks({KEYS[0]: network}, 8).probabilities(np.zeros((8, 8, 3), np.uint8))
    assert all(p.grad is None for p in network.parameters())
    assert torch.is_grad_enabled()
