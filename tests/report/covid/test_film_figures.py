"""Figures of films show what their titles say."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from sdlib.metrics import auroc
from sdlib.phantoms.radiograph import HOSPITALS, SIGNATURE_PARTS, draw_films
from sdlib.phantoms.radiograph.film_factors import PATIENT_FACTORS
from sdlib.report.covid.film_figures import OPACITIES, draw_changed_parts, draw_films_by_hospital

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
