"""Acquisition: one step is changed, the tissue stays."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sdlib.errors import ConfigError
from sdlib.phantoms import (
    CENTRES,
    COHORTS,
    MAGNIFICATIONS,
    SCANNERS,
    Acquisition,
    HistologyTile,
    draw_tiles,
    render,
)
from sdlib.phantoms.acquisition import DENSITIES, LENGTHS
from sdlib.phantoms.glands import place_glands
from sdlib.phantoms.tissue import paint

NAMES = [field.name for field in fields(HistologyTile)]
STAINING = {"centre", "haematoxylin", "eosin"}
SCANNING = {"scanner", "sharpness"}

choices = {
    "stain": st.sampled_from(["", *CENTRES]),
    "scanner": st.sampled_from(["", *SCANNERS]),
    "magnification": st.sampled_from(["", *MAGNIFICATIONS]),
}


def changed(before, after):
    return {name for name in NAMES if getattr(before, name) != getattr(after, name)}


@given(st.sampled_from([*COHORTS]), st.integers(0, 99), st.builds(Acquisition, **choices))
def test_only_what_is_named_is_changed(cohort, seed, acquisition):
    drawn = draw_tiles(3, seed, cohort)
    acquired = acquisition.apply(drawn)
    allowed = STAINING if acquisition.stain else set()
    allowed = allowed | (SCANNING if acquisition.scanner else set())
    if acquisition.magnification:
        allowed = allowed | {*LENGTHS, *DENSITIES}
    assert len(acquired) == 3
    for before, after in zip(drawn, acquired, strict=True):
        assert changed(before, after) <= allowed
    if not acquisition.name:
        assert acquired == drawn


@pytest.mark.parametrize("cohort", COHORTS)
def test_stains_come_in_the_mean_amounts_of_their_centre(cohort):
    """Means over many tiles: the cohort's own amounts and drift are gone."""
    drawn = draw_tiles(4000, 3, cohort)
    for name, centre in CENTRES.items():
        acquired = Acquisition(stain=name).apply(drawn)
        assert {tile.centre for tile in acquired} == {name}
        for stain in ("haematoxylin", "eosin"):
            amounts = np.log([getattr(tile, stain) for tile in acquired])
            mean = getattr(centre, f"{stain}_mean")
            assert np.median(amounts) == pytest.approx(np.log(mean), abs=0.05)
            # A factor on all tiles alike: the spread is that of the tissue.
            before = np.log([getattr(tile, stain) for tile in drawn])
            np.testing.assert_allclose(amounts - before, (amounts - before)[0], atol=1e-12)


def test_the_own_laboratory_of_a_cohort_without_drift_changes_nothing():
    drawn = draw_tiles(5, 1, "external")
    assert Acquisition(stain="radboud").apply(drawn) == drawn


def test_another_scanner_of_the_cohort_is_as_if_drawn_with_it():
    """The cohort that was scanned twice says what a scanner does."""
    again = Acquisition(scanner="flash3").apply(draw_tiles(6, 5))
    for ours, drawn in zip(again, draw_tiles(6, 5, scanner="flash3"), strict=True):
        assert ours == replace(drawn, sharpness=ours.sharpness)
        assert ours.sharpness == pytest.approx(drawn.sharpness, rel=1e-12)


def test_a_scanner_leaves_the_tissue_alone():
    before = draw_tiles(1, 5)[0]
    after = Acquisition(stain="radboud", scanner="flash2").apply([before])[0]
    for a, b in zip(paint(before, 64), paint(after, 64), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (render(before, 64) != render(after, 64)).mean() > 0.5


def test_a_field_at_10x_holds_as_much_tissue_as_is_larger():
    """Lengths shrink, numbers per area grow, and the share of the area under glands stays."""
    drawn = draw_tiles(40, 9)
    small = Acquisition(magnification="10x").apply(drawn)
    length = MAGNIFICATIONS["10x"]
    for before, after in zip(drawn, small, strict=True):
        assert after.gland_size / before.gland_size == pytest.approx(length)
        under = [tile.gland_density * tile.gland_size**2 for tile in (before, after)]
        assert under[0] == pytest.approx(under[1])
    glands = [sum(len(place_glands(tile).outer) for tile in tiles) for tiles in (drawn, small)]
    assert glands[1] / glands[0] == pytest.approx(1 / length**2, rel=0.25)
    assert Acquisition(magnification="20x").apply(drawn) == drawn


def test_the_name_says_what_is_changed():
    assert Acquisition().name == ""
    assert Acquisition("helsinki", "flash2", "10x").name == "helsinki-flash2-10x"
    names = {
        Acquisition(stain, scanner, magnification).name
        for stain in ("", *CENTRES)
        for scanner in ("", *SCANNERS)
        for magnification in ("", *MAGNIFICATIONS)
    }
    assert len(names) == (1 + len(CENTRES)) * (1 + len(SCANNERS)) * (1 + len(MAGNIFICATIONS))


@pytest.mark.parametrize("kind", ["stain", "scanner", "magnification"])
def test_a_name_that_is_not_known_is_refused(kind):
    with pytest.raises(ConfigError, match=f"unknown {kind} 'nowhere'; expected one of: "):
        Acquisition(**{kind: "nowhere"})
