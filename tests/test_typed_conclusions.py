"""What pages say in words of recorded rows holds in today's rows.

Numbers are written by code. Conclusions in a text cannot be: each one below stands here beside what
it rests on, so that rows which say otherwise fail a test instead of leaving a false sentence.
"""

import numpy as np
import pytest

from sdlib.experiments import parse_search
from sdlib.experiments.covid import SEARCHES
from sdlib.experiments.covid_lambdas import LAMBDAS, lambda_arm
from sdlib.experiments.prostate import PAPER_GAINS
from sdlib.experiments.trials import best
from sdlib.paths import ROOT
from sdlib.report.covid.reliance import reliance_of
from sdlib.report.effects import HARMS, HELPS, recorded_effects
from sdlib.results import RECORDED, Place
from tests.test_house import cells

SQUARES = Place("cutout", "laptop", "open", RECORDED)
PROSTATE = Place("prostate", "long", "phantom", RECORDED)
FILMS_A = Place("covid", "laptop", "phantom", RECORDED)
FILMS_B = Place("covid_added", "laptop", "phantom", RECORDED)
REAL_A = Place("covid", "laptop", "open", RECORDED)
UNIFORM = ("sd_eq1_uniform", "weight_decay_uniform")
EQ2 = ("sd_eq2", "weight_decay")
TUNED = ("sd_eq2_tuned", "weight_decay_tuned")


def stands(page, sentence):
    """Fail unless a page has the sentence, wherever its lines break."""
    path = ROOT / "book" / f"{page}.ipynb"
    text = " ".join(" ".join(cell.source for cell in cells(path, "markdown")).split())
    assert sentence in text, f"{page} no longer says: {sentence}. Mend this test, too."


def words(situation, equation=None, source=None):
    """The words of all recorded effects of a situation, also where both methods are tuned."""
    return [
        one.word
        for one in recorded_effects()
        if one.effect.situation.split(", both tuned")[0] == situation
        and equation in (None, one.effect.equation)
        and source in (None, one.place.source)
    ]


def test_gains_on_squares():
    page = "4_practice/09_your_own_data"
    stands(page, "the clear gains are of Equation 2, and on real tissue alone")
    stands(page, "on the other it cost accuracy, also without squares")
    squares, clean = "squares betray the class", "the same networks on tiles without squares"
    assert HELPS in words(squares, equation=2, source="open")
    assert HELPS not in words(squares, equation=2, source="phantom")
    assert HELPS not in words(squares, equation=1)
    assert HARMS in words(squares, equation=2, source="phantom")
    assert HARMS in words(clean, source="phantom")


def test_two_tissues_need_not_agree():
    stands("in_ten_minutes", "In the same experiment, two kinds of tissue need not agree.")
    situation = "squares betray the class"
    assert HELPS in words(situation, source="open")
    assert HELPS not in words(situation, source="phantom")


def test_a_gain_need_not_survive_the_checks_nor_longer_training():
    stands(
        "4_practice/09_your_own_data",
        "A gain at .5 need not survive these checks, nor longer training.",
    )
    assert SQUARES.difference("test.accuracy", *EQ2).low > 0
    long = Place("cutout", "long", "open", RECORDED)
    assert not long.difference("test.auroc", *EQ2).low > 0


def test_another_medical_centre():
    page = "3_clinical/06_prostate"
    stands(page, "in D, the interval ends below half of the paper's gain")
    stands(page, "at home it ranked tiles slightly worse")
    stands(page, "there our intervals have zero in them and do not reach the paper's cross")
    gain = PAPER_GAINS["external"]
    for pair in (UNIFORM, tuple(f"{arm}_tuned" for arm in UNIFORM)):
        abroad = PROSTATE.difference("external.accuracy", *pair)
        assert abroad.low < 0 < abroad.high < gain
    assert PROSTATE.difference("external.accuracy", *UNIFORM).high < gain / 2
    assert -0.01 < PROSTATE.difference("test.auroc", *UNIFORM).high < 0


def test_augmentation_on_four_sets():
    page = "3_clinical/06_prostate"
    stands(
        page, "UniformAugment costs a little in A and B. It pays on the other scanner, C, and most"
    )
    pair = ("weight_decay_uniform", "weight_decay_none")
    test, later, scanner, external = (
        PROSTATE.difference(f"{cohort}.accuracy", *pair)
        for cohort in ("test", "later", "rescanned", "external")
    )
    assert max(test.high, later.high) < 0 < scanner.low
    assert external.mean > scanner.mean


def test_what_searches_on_films_chose():
    stands(
        "3_clinical/07_covid",
        "in A it kept the paper's values, in B it chose next to no penalty",
    )
    in_a, in_b = (
        best(parse_search(f"{name}/sd_eq2", "laptop", "phantom"), recorded=True)
        for name in ("covid", "covid_added")
    )
    (paper,) = SEARCHES[1].first
    assert in_a == pytest.approx(dict(paper))
    assert max(in_b["lam_neg"], in_b["lam_pos"]) < 1e-3


def test_covid_outside():
    page = "3_clinical/07_covid"
    stands(page, "with both methods tuned none is clear")
    stands(page, "those of weight decay are above chance, and spectral decoupling is clearly")
    for place in (FILMS_A, FILMS_B):
        tuned = place.difference("external.auroc", *TUNED)
        assert tuned.low < 0 < tuned.high
    assert REAL_A.difference("external.auroc", *EQ2).high < 0
    assert (REAL_A.values("external.auroc", "weight_decay") > 0.5).all()


def test_what_networks_of_films_rely_on():
    page = "3_clinical/07_covid"
    stands(page, "the border counts for less and the contrast for more")
    stands(
        page, "All parts together count for less, too. But they still move a logit by more than one"
    )
    with_sd, without = (
        {part: reliance_of(FILMS_B, arm, part) for part in ("border", "contrast", "all")}
        for arm in EQ2
    )
    change = {part: (with_sd[part] - without[part]).to_numpy() for part in with_sd}
    assert np.max(change["border"]) < 0 < np.min(change["contrast"])
    assert np.max(change["all"]) < 0
    assert with_sd["all"].mean() > 1


def test_a_stronger_penalty_on_films():
    page = "3_clinical/07_covid"
    stands(page, "The larger $\\lambda$, the less the border counts, and contrast takes a part")
    stands(page, "the whole signature still moves a logit by more than one SD")
    stands(page, "outside no $\\lambda$ has a clear gain, one even a clear loss")
    place = Place("covid_lambdas", "laptop", "phantom", RECORDED)
    relied = {
        part: [reliance_of(place, lambda_arm(lam), part).mean() for lam in LAMBDAS]
        for part in ("border", "contrast", "all")
    }
    assert (np.diff(relied["border"]) < 0).all()
    assert relied["contrast"][-1] > relied["contrast"][0]
    assert min(relied["all"]) > 1
    gains = [
        place.difference("external.auroc", lambda_arm(lam), lambda_arm(LAMBDAS[0]))
        for lam in LAMBDAS[1:]
    ]
    assert not any(gain.low > 0 for gain in gains)
    assert sum(gain.high < 0 for gain in gains) == 1
