"""Tables, on rows that are written here and so are known."""

import numpy as np
import pytest
from scipy import stats

from sdlib import results
from sdlib.metrics import mean_interval
from sdlib.report import tables as analysis, verdicts as claims
from sdlib.report.rule import Verdict
from tests.written_results import write_run

TUNED, GIVEN = "C1, tuned on test", "C1, paper's values"
HERE = "this run: phantom, laptop"


@pytest.mark.parametrize("arm", ["weight_decay", "sd_eq2_test_tuned", "control"])
def test_the_papers_interval_is_students(arm):
    found = analysis.paper_interval("accuracy", arm)
    ends = stats.t.interval(0.95, 4, found.mean, found.sd / np.sqrt(5))
    assert (found.low, found.high) == pytest.approx(ends)


def test_the_paper_has_no_other_arms():
    assert analysis.paper_interval("accuracy", "sd_eq1") is None


def test_points_are_hundredths_with_students_interval():
    values = np.array([0.02, -0.01, 0.033, 0.004])
    low, high = stats.t.interval(0.95, 3, 100 * values.mean(), 100 * stats.sem(values))
    sd = 100 * values.std(ddof=1)
    text = f"{100 * values.mean():+.1f} ({sd:.1f}) [{low:+.1f}, {high:+.1f}] n = 4"
    assert analysis.in_points(values) == text
    assert analysis.in_points(values[:1]) == "+2.0, one seed"
    assert analysis.in_points(values[:2]) == "-1.0 and +2.0, two seeds"
    assert analysis.in_points(values[:0]) == "–"


def test_cells_say_what_few_seeds_cannot():
    assert analysis.describe(mean_interval([0.7])) == "0.700, one seed"
    assert analysis.describe(mean_interval([0.7, 0.9])) == "0.700 and 0.900, two seeds"
    found = analysis.describe(mean_interval([4.25, -1.5]), sign=True, digits=2)
    assert found == "-1.50 and +4.25, two seeds"
    found = analysis.describe(mean_interval([-0.1, 0.1, 0.3]), sign=True)
    assert found == "+0.100 (0.200) [-0.397, +0.597] n = 3"


def test_side_by_side_has_the_places_with_rows_and_their_intervals(rows):
    places = results.columns("cutout", "laptop", "phantom")
    table = analysis.side_by_side(places, {"test.recall": "recall"})
    assert list(table.columns) == ["paper", "this run: phantom, laptop"]
    cell = table.loc[("weight decay", "recall"), "this run: phantom, laptop"]
    assert cell == analysis.describe(mean_interval(rows.values("test.recall", "weight_decay")))
    assert table.loc[("SD Eq. 1, paper's λ", "recall"), "paper"] == "–"


def test_without_rows_the_table_is_the_papers(nothing):
    table = analysis.side_by_side([nothing], {"test.recall": "recall"})
    assert list(table.columns) == ["paper"]
    assert len(table) == 3
    assert not len(analysis.interval_table(nothing, {"test.auroc": "AUROC"}))
    assert not len(analysis.verdict_table([nothing]))


def test_verdicts_are_those_of_the_rule(rows):
    table = analysis.verdict_table([rows])[HERE]
    parts = claims.assess(rows)
    parts = parts[parts["verdict"] != Verdict.NOT_ATTEMPTED]  # no place has anything to show there
    assert parts["verdict"].nunique() > 1
    for part, cell in zip(parts.itertuples(), table, strict=True):
        assert cell.endswith(part.verdict)
        assert part.n == 0 or f"{100 * part.mean:+.1f}" in cell
    some = analysis.verdict_table([rows], "C1", "C4")
    assert set(some.index.get_level_values(0)) == {TUNED, GIVEN, "C4"}


def test_premises_are_called_so_and_have_the_papers_number(rows):
    table = analysis.verdict_table([rows], "C1", "C2", "C3", "C4")
    premises = table[table["expected"] == "premise"]
    gain = "premise: accuracy, SD over weight decay"
    price = "accuracy, control over weight decay"
    assert list(premises.index) == [(TUNED, price), (GIVEN, price), ("C3", gain), ("C4", gain)]
    assert list(premises["paper"]) == ["+12.3", "+12.3", "+8.5", "+8.5"]
    # One comparison, whatever it is a premise of.
    assert premises.loc[("C3", gain), HERE] == premises.loc[("C4", gain), HERE]
    claim = table.loc[(TUNED, "accuracy, SD over weight decay")]
    assert claim["expected"] == "gain"
    found, _ = claim[HERE].rsplit(", ", 1)
    assert premises.loc[("C3", gain), HERE].startswith(found)


def test_every_reading_has_its_sentence(rows):
    *told, missing = analysis.claim_sentences(rows, "C1", "C5").split("\n\n")
    assert missing == f"**C5: not attempted yet** ({HERE}): too few rows."
    verdicts, parts = claims.claims_at(rows, "C1"), claims.assess(rows, "C1")
    for reading, text in zip((TUNED, GIVEN), told, strict=True):
        assert text.startswith(f"**{reading}: {verdicts[reading]}** ({HERE}). In points: ")
        mine = parts[parts["reading"] == reading]
        assert len(mine) == 3
        for part in mine.itertuples():
            ends = f"({100 * part.low:+.1f} to {100 * part.high:+.1f})"
            assert f"{part.part} {100 * part.mean:+.1f} {ends}, {part.verdict}" in text


def test_two_seeds_have_no_numbers_and_no_verdict(nothing):
    for arm in ("weight_decay", "sd_eq2"):
        for seed in (0, 1):
            write_run("cutout", arm, seed)
    assert set(claims.assess(nothing, "C1")["n"]) == {0, 2}
    assert not len(analysis.verdict_table([nothing], "C1"))
    told = analysis.claim_sentences(nothing, "C1").split("\n\n")
    expected = [f"**{name}: not attempted yet** ({HERE}): too few rows." for name in (TUNED, GIVEN)]
    assert told == expected
