"""Figures of films show what their titles say."""

import csv
import hashlib

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from sdlib.errors import ConfigError, DataError
from sdlib.metrics import auroc
from sdlib.phantoms.radiograph import HOSPITALS, SIGNATURE_PARTS, draw_films
from sdlib.phantoms.radiograph.film_factors import PATIENT_FACTORS
from sdlib.report.covid.film_figures import (
    OPACITIES,
    draw_beside_real,
    draw_changed_parts,
    draw_films_by_hospital,
)

SIZE = 64


@pytest.fixture(autouse=True)
def agg():
    """Draw into memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def picture(ax):
    return np.asarray(ax.images[0].get_array()).astype(int)


def test_rows_are_hospitals_and_columns_grow_opaque():
    fig = draw_films_by_hospital(SIZE)
    axes = np.array(fig.axes).reshape(len(HOSPITALS), len(OPACITIES))
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [f"hospital {name}" for name in HOSPITALS]
    assert [ax.get_title().split(" (")[0] for ax in axes[0]] == list(OPACITIES)
    for row in axes:
        healthy, faint, plain = map(picture, row)
        assert healthy.mean() < faint.mean() < plain.mean()
    assert len({picture(ax).tobytes() for ax in axes.flat}) == axes.size
    assert {image.norm.vmax for ax in axes.flat for image in ax.images} == {255}
    fig.canvas.draw()


def test_the_opacities_shown_are_what_they_are_called():
    healthy, sick = PATIENT_FACTORS["opacity"].centre
    shown = list(OPACITIES.values())
    assert shown[0] == healthy
    assert shown[1] == pytest.approx(np.sqrt(healthy * sick), rel=0.02)
    films = draw_films(2000, 0)
    drawn = np.array([film.opacity for film in films])
    targets = np.array([film.target for film in films])
    assert (drawn[targets == 0] > shown[2]).mean() < 0.002
    assert auroc(targets, drawn) < 1


def test_differences_are_red_where_the_film_differs_alone():
    fig = draw_changed_parts(SIZE)
    parts = (*SIGNATURE_PARTS, "all")
    above, below = np.array(fig.axes).reshape(2, len(parts) + 1)
    assert [ax.get_title() for ax in above] == ["as it is", *parts]
    own = picture(above[0])
    for changed, difference in zip(above[1:], below[1:], strict=True):
        differs = picture(changed) != own
        red, green, blue = np.moveaxis(picture(difference), -1, 0)
        assert differs.any()
        np.testing.assert_array_equal((red != green) | (green != blue), differs)
    shown = picture(below[0]) == own
    assert 0.1 < shown.mean() < 0.6
    fig.canvas.draw()


COLUMNS = ("file", "label", "group", "source", "view", "finding", "duplicate_of", "sha256")


@pytest.fixture
def root(tmp_path, outputs):
    """A folder that holds open-cxr: of each collection two films of each of three patients."""
    folder = tmp_path / "open-cxr"
    folder.mkdir()
    grey = {"cohen": 50, "nih": 150, "kermany_paediatric": 250}
    with (folder / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for source, value in grey.items():
            for number in range(6):
                file = folder / f"{source}-{number}.png"
                Image.new("L", (SIZE, SIZE), value).save(file)
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                patient = f"{source} {number // 2}"
                writer.writerow([file.name, "normal", patient, source, "PA", "", "", digest])
    return tmp_path


def test_real_films_stand_below_phantoms(root):
    fig = draw_beside_real(SIZE, count=6, root=root)
    above, below = np.array(fig.axes).reshape(2, 6)
    assert [ax.get_title() for ax in above] == [f"phantom, {name}" for name in "abcabc"]
    assert len({picture(ax).tobytes() for ax in above}) == 6
    titles = [ax.get_title() for ax in below]
    # Adults alone, a film of each patient, and the collections take turns.
    assert sorted(titles[:2]) == ["cohen", "nih"]
    assert sorted(titles) == ["cohen"] * 3 + ["nih"] * 3
    for ax, title in zip(below, titles, strict=True):
        assert np.unique(picture(ax)).tolist() == [{"cohen": 50, "nih": 150}[title]]
    fig.canvas.draw()


def test_films_are_chosen_by_the_seed(root):
    def titles(seed):
        axes = draw_beside_real(SIZE, seed, count=3, root=root).axes
        return [ax.get_title() for ax in axes[3:]]

    assert titles(0) == titles(0)
    assert len({tuple(titles(seed)) for seed in range(8)}) > 1


def test_without_real_films_nothing_is_drawn(outputs, root):
    with pytest.raises(DataError, match="set SDLIB_DATA to the folder that holds open-cxr/"):
        draw_beside_real()
    with pytest.raises(DataError, match=r"at least 7 patients in .*, found 6: ask for fewer"):
        draw_beside_real(SIZE, count=7, root=root)
    with pytest.raises(ConfigError, match="expected count of at least 1"):
        draw_beside_real(SIZE, count=0, root=root)
    assert not plt.get_fignums()
