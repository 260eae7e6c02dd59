"""Factors of films: patients, the disease and its overlap, hospitals and their signatures."""

from dataclasses import fields, replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sdlib.errors import ConfigError
from sdlib.metrics import auroc
from sdlib.phantoms.radiograph import (
    FILM_FACTORS,
    HOSPITALS,
    SIGNATURE_PARTS,
    Film,
    bayes_auroc,
    draw_films,
    tabulate_films,
    with_signature,
)
from sdlib.phantoms.radiograph.film_factors import PATIENT_FACTORS, POSE_FACTORS

MANY = 4000
#: Attributes that say who a film is of, not what it shows.
IDENTITY = ("target", "patient", "hospital", "seed")


@pytest.fixture(scope="module")
def columns():
    """Films of each hospital as columns, half of the patients positive."""
    return {name: tabulate_films(draw_films(MANY, 1, name, 0.5)) for name in HOSPITALS}


def test_every_attribute_is_a_factor():
    assert tuple(field.name for field in fields(Film)) == (*IDENTITY, *FILM_FACTORS)
    parts = {factor.part for factor in FILM_FACTORS.values()}
    assert parts == {"anatomy", "disease", *SIGNATURE_PARTS}
    for part, names in SIGNATURE_PARTS.items():
        assert {FILM_FACTORS[name].part for name in names} == {part}
    for hospital in HOSPITALS.values():
        drawn = {*hospital.signature, "view", *POSE_FACTORS}
        assert drawn == {name for names in SIGNATURE_PARTS.values() for name in names}


# -- Draws


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_a_film_does_not_depend_on_how_many_are_drawn(hospital):
    assert draw_films(41, 2, hospital)[:7] == draw_films(7, 2, hospital)
    assert draw_films(7, 2, hospital) != draw_films(7, 3, hospital)
    assert draw_films(7, 2, hospital) == draw_films(7, 2, hospital)


def test_patients_have_one_to_three_films_of_one_class(columns):
    patients, counts = np.unique(columns["a"]["patient"], return_counts=True)
    assert set(counts) == {1, 2, 3}
    assert counts.mean() == pytest.approx(2, abs=0.05)
    pairs = set(zip(columns["a"]["patient"], columns["a"]["target"], strict=True))
    assert len(pairs) == len(patients)


def test_seeds_and_hospitals_share_no_patient_and_no_film():
    drawn = [draw_films(50, seed, name) for seed in (0, 1) for name in HOSPITALS]
    for attribute in ("patient", "seed"):
        sets = [{getattr(film, attribute) for film in films} for films in drawn]
        assert sum(map(len, sets)) == len(set.union(*sets))


@pytest.mark.parametrize(("hospital", "share"), [("a", 0.5), ("b", 0.01), ("c", 0.5)])
def test_the_share_of_positives_is_the_hospitals(hospital, share):
    targets = tabulate_films(draw_films(MANY, 4, hospital))["target"]
    assert targets.mean() == pytest.approx(share, abs=0.03)
    assert sum(film.target for film in draw_films(200, 4, hospital, prevalence=0.0)) == 0
    assert sum(film.target for film in draw_films(200, 4, hospital, prevalence=1.0)) == 200


def test_the_class_of_others_changes_no_patient():
    few, more = draw_films(300, 0, "b", 0.2), draw_films(300, 0, "b", 0.6)
    same = [a.target == b.target for a, b in zip(few, more, strict=True)]
    assert 0 < sum(same) < 300
    assert all(a == b for a, b, equal in zip(few, more, same, strict=True) if equal)


@pytest.mark.parametrize("name", PATIENT_FACTORS)
def test_factors_follow_their_table(columns, name):
    factor = PATIENT_FACTORS[name]
    for target in (0, 1):
        drawn = np.median(columns["c"][name][columns["c"]["target"] == target])
        spread = factor.sd * (factor.centre[target] if factor.scale == "log" else 1)
        assert abs(drawn - factor.centre[target]) < 0.12 * spread


@pytest.mark.parametrize("name", ["chest_width", "vascularity", "opacity", "tilt"])
def test_patients_resemble_themselves(columns, name):
    """The correlation of two films of one patient is the patient's share of the variance."""
    factor, found = PATIENT_FACTORS[name], columns["c"]
    values = np.log(found[name]) if factor.scale == "log" else found[name]
    values = (
        values - np.array([values[found["target"] == t].mean() for t in (0, 1)])[found["target"]]
    )
    pairs = np.flatnonzero(found["patient"][1:] == found["patient"][:-1])
    correlation = np.corrcoef(values[pairs], values[pairs + 1])[0, 1]
    assert correlation == pytest.approx(factor.patient_share, abs=0.07)


# -- The disease


def cross_validated(columns, names):
    """AUROC of a logistic regression on these factors, of patients that it has not seen."""
    values = [np.log(columns[name]) if name == "opacity" else columns[name] for name in names]
    x = np.column_stack([v if v.dtype.kind in "if" else v == "AP" for v in values]).astype(float)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    score = cross_val_predict(
        model,
        x,
        columns["target"],
        groups=columns["patient"],
        cv=GroupKFold(4),
        method="decision_function",
    )
    return auroc(columns["target"], score)


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_nobody_beats_the_stated_auroc(columns, hospital):
    found = columns[hospital]
    numbers = [name for name in FILM_FACTORS if found[name].dtype.kind in "if"]
    alone = cross_validated(found, ["opacity"])
    assert alone == pytest.approx(bayes_auroc(hospital, use_view=False), abs=0.012)
    everything = cross_validated(found, [*numbers, "view"])
    assert everything == pytest.approx(bayes_auroc(hospital), abs=0.012)
    assert (
        cross_validated(found, [n for n in numbers if n not in (*POSE_FACTORS, "opacity")]) < 0.54
    )


def test_the_stated_auroc_is_that_of_simulated_scores():
    """Both log-likelihood ratios, drawn a million times."""
    rng, n = np.random.default_rng(0), 500_000
    factor = PATIENT_FACTORS["opacity"]
    d = np.log(factor.centre[1] / factor.centre[0]) / factor.sd
    targets = np.arange(2 * n) % 2
    z = rng.standard_normal(2 * n) + d * targets
    ap = rng.random(2 * n) < np.array(HOSPITALS["a"].ap)[targets]
    low, high = HOSPITALS["a"].ap
    score = d * z + np.where(ap, np.log(high / low), np.log((1 - high) / (1 - low)))
    assert auroc(targets, score) == pytest.approx(bayes_auroc("a"), abs=0.001)
    assert auroc(targets, z) == pytest.approx(bayes_auroc("a", use_view=False), abs=0.001)
    assert bayes_auroc("b") == pytest.approx(bayes_auroc("c"))


# -- Signatures


@pytest.mark.parametrize("hospital", HOSPITALS)
@pytest.mark.parametrize("part", SIGNATURE_PARTS)
def test_a_signature_tells_the_class_by_the_pose_of_hospital_a_alone(columns, hospital, part):
    found = columns[hospital]
    for name in SIGNATURE_PARTS[part]:
        _, ranks = np.unique(found[name], return_inverse=True)
        tells = auroc(found["target"], ranks)
        if (hospital, part) == ("a", "pose"):
            assert abs(tells - 0.5) > 0.05
        else:
            assert tells == pytest.approx(0.5, abs=0.035)


def test_views_have_the_shares_of_their_hospital(columns):
    for name, hospital in HOSPITALS.items():
        ap = columns[name]["view"] == "AP"
        for target in (0, 1):
            share = ap[columns[name]["target"] == target].mean()
            assert share == pytest.approx(hospital.ap[target], abs=0.035)


def test_hospitals_can_be_told_apart_by_each_part_but_pose(columns):
    for part in ("token", "border", "contrast", "text"):
        seen = [{tuple(str(c[n][0]) for n in SIGNATURE_PARTS[part])} for c in columns.values()]
        assert len(set.union(*seen)) == 3


@pytest.mark.parametrize("part", [*SIGNATURE_PARTS, "all"])
@pytest.mark.parametrize(("own", "other"), [("a", "b"), ("b", "a"), ("a", "c")])
def test_a_part_of_the_signature_changes_and_nothing_else(part, own, other):
    named = SIGNATURE_PARTS.get(part, [n for names in SIGNATURE_PARTS.values() for n in names])
    moved = set()
    for film in draw_films(12, 3, own):
        changed = with_signature(film, other, part)
        kept = {name: getattr(film, name) for name in named}
        assert replace(changed, **kept) == film
        assert with_signature(changed, other, part) == changed
        moved |= {name for name in named if getattr(changed, name) != getattr(film, name)}
    assert moved  # what differs between two hospitals differs on some of twelve films


@pytest.mark.parametrize("hospital", HOSPITALS)
@pytest.mark.parametrize("part", ["token", "border", "contrast", "text"])
def test_its_own_signature_leaves_a_film_as_it_is(hospital, part):
    for film in draw_films(5, 1, hospital):
        assert with_signature(film, hospital, part) == film


def test_a_given_pose_says_nothing_of_the_class():
    films = [with_signature(film, "a", "pose") for film in draw_films(1500, 1, "b", 0.5)]
    found = tabulate_films(films)
    ap = found["view"] == "AP"
    assert auroc(found["target"], ap) == pytest.approx(0.5, abs=0.04)
    assert ap.mean() == pytest.approx(HOSPITALS["a"].ap_share, abs=0.04)


# -- Bad input


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda film: draw_films(0, 0), "n of at least 1 and seed of at least 0, got 0 and 0"),
        (lambda film: draw_films(1, -1), "seed of at least 0, got 1 and -1"),
        (lambda film: draw_films(1, 0, "d"), "unknown hospital 'd'; expected one of: a, b, c"),
        (lambda film: draw_films(1, 0, "a", 1.5), "prevalence from 0 to 1, got 1.5"),
        (lambda film: draw_films(1, 0, "a", float("nan")), "prevalence from 0 to 1, got nan"),
        (lambda film: with_signature(film, "d"), "unknown hospital 'd'; expected one of: a, b, c"),
        (lambda film: with_signature(film, "b", "hat"), "unknown part of a signature 'hat'"),
        (lambda film: bayes_auroc("d"), "unknown hospital 'd'"),
        (lambda film: replace(film, view="LL"), "unknown view 'LL'; expected one of: PA, AP"),
        (lambda film: replace(film, curve="wave"), "unknown curve 'wave'"),
        (lambda film: replace(film, border_shape="star"), "unknown border_shape 'star'"),
        (lambda film: replace(film, token_shape="star"), "unknown token_shape 'star'"),
        (lambda film: replace(film, bit_depth=0), "bit_depth from 1 to 8, got 0"),
    ],
)
def test_bad_input_is_named(call, sentence):
    film = draw_films(1, 0)[0]
    with pytest.raises(ConfigError, match=sentence):
        call(film)
