"""One colour and marker per arm, told apart without colour vision."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest

from sdlib.experiments.cutout import CUTOUT
from sdlib.experiments.robustness import ROBUSTNESS
from sdlib.experiments.stain_transfer import ARMS as STAIN_ARMS
from sdlib.plotting import ARMS, CLASSES, use_style

# Linear RGB to the two dichromats' RGB, Viénot, Brettel and Mollon (1999).
VISIONS = {
    "trichromat": np.eye(3),
    "protanope": np.array(
        [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]
    ),
    "deuteranope": np.array(
        [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]
    ),
}


#: Arms whose line tells the augmentation, and whose colour and marker are those of the method.
AUGMENTED = (*ROBUSTNESS, *(arm for arm in STAIN_ARMS if arm not in ROBUSTNESS))
BASE = {name: style for name, style in ARMS.items() if name not in {a.name for a in AUGMENTED}}


def test_every_arm_has_a_style_and_the_registrys_label():
    assert {arm.name: arm.label for arm in (*CUTOUT, *ROBUSTNESS)}.items() <= {
        name: style.label for name, style in ARMS.items()
    }.items()


def test_no_two_arms_share_a_colour_a_marker_or_a_label():
    for field in ("colour", "marker", "label"):
        assert len({getattr(style, field) for style in BASE.values()}) == len(BASE)


def test_of_the_augmented_arms_the_method_has_the_colour_and_the_augmentation_the_line():
    for arm in AUGMENTED:
        style = ARMS[arm.name]
        method = ARMS["sd_eq1" if arm.name.startswith("sd") else "weight_decay"]
        if not arm.search:
            assert (style.colour, style.marker) == (method.colour, method.marker)
        dashes = {"": "--", "uniform": "-", "uniform_blur": ":", "uniform+stain": "-."}
        expected = dashes[arm.augment]
        assert style.dash == style.line["linestyle"] == expected
    looks = {(ARMS[a.name].colour, ARMS[a.name].dash) for a in AUGMENTED}
    assert len(looks) == len(AUGMENTED)


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_stay_apart_for_colour_blind_readers(vision):
    linear = {k: np.array(mpl.colors.to_rgb(s.colour)) ** 2.2 for k, s in BASE.items()}
    seen = {k: np.clip(VISIONS[vision] @ v, 0, 1) ** (1 / 2.2) for k, v in linear.items()}
    for a, b in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 0.1, (a, b)


def test_class_shades_are_greys_one_light_one_dark():
    light, dark = (np.array(mpl.colors.to_rgb(shade)) for shade in CLASSES)
    assert np.ptp(light) == np.ptp(dark) == 0
    assert light[0] - dark[0] > 0.4


def test_the_style_is_set_and_readable():
    with mpl.rc_context():
        use_style()
        assert mpl.rcParams["font.size"] >= 11
        assert not mpl.rcParams["axes.spines.top"]
