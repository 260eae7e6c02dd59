"""The rule of views, on descriptions that are in the published tags."""

import pytest

from sdlib.datasets.bimcv_views import FilmView, film_view


@pytest.mark.parametrize(
    ("description", "named", "view"),
    [
        ("TORAX PA", "ap", "PA"),
        ("W033 TÓRAX PA *", "", "PA"),
        ("tórax ap", "pa", "AP"),
        ("TÒRAX AP", "", "AP"),
        ("TORAX SEDE AP", "ap", "AP"),
        ("SEDESTACION AP", "ap", "AP"),
        ("AP VERTICAL", "ap", "AP"),
        ("PARRILLA COSTAL AP", "ap", "AP"),
        ("TORAX-ABD PA", "pa", "PA"),
        ("TÓRAX PA H", "pa", "PA"),
        ("TÓRAX AP H", "ap", "AP supine"),
        ("AP HORIZONTAL", "ap", "AP supine"),
        ("DEC. SUPINO AP", "ap", "AP supine"),
        ("SUPINE AP", "ap", "AP supine"),
        ("PA HORIZONTAL", "pa", "AP supine"),
        ("W034 TÓRAX LAT. *", "pa", "lateral"),
        ("LATERAL IZQ.", "ap", "lateral"),
        ("TORAX PA", "ll", "lateral"),
        ("", "ll", "lateral"),
        # A request for two views says nothing of this film: its name does.
        ("RX TORAX  PA Y LAT", "pa", "PA"),
        ("RX TORAX  PA Y LAT", "ll", "lateral"),
        ("TORAX FRENTE Y PERFIL", "ap", "AP"),
        ("RX TORAX, PA O AP", "pa", "PA"),
        ("CHEST", "ap", "AP"),
        ("TÓRAX", "", ""),
        ("", "", ""),
        ("CHEST", "oblique", ""),
        ("ABDOMEN", "ap", "other part of the body"),
        ("LUMBAR-SPINE", "pa", "other part of the body"),
        ("ESCAPULA Y", "ap", "other part of the body"),
    ],
)
def test_view(description, named, view):
    assert film_view(description, named) == FilmView(view)


@pytest.mark.parametrize(
    ("description", "view", "bedside"),
    [
        ("PORTATIL", "AP", True),
        ("PORTÁTIL AP", "AP", True),
        ("RX TORAX CON PORTATIL PED", "AP", True),
        ("TORAX CAMILLA", "AP", True),
        ("SUP.AP PORTABLE", "AP supine", False),
        ("TORAX AP", "AP", False),
    ],
)
def test_bedside(description, view, bedside):
    assert film_view(description, "ap") == FilmView(view, bedside)


@pytest.mark.parametrize(("part", "view"), [("chest", "PA"), ("", "PA"), ("knee", None)])
def test_part_of_the_body_in_the_name(part, view):
    assert film_view("PA", "pa", part).view == (view or "other part of the body")
