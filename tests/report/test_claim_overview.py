"""All claims at all places, on reports that are written here."""

import pandas as pd
import pytest

from sdlib import results
from sdlib.experiments import paper_table
from sdlib.report import claim_overview
from sdlib.report.verdicts import Verdict, attempted_claims

CLAIMS = list(paper_table("claims")["id"])
TUNED, GIVEN = "C1, tuned on test", "C1, paper's values"
READINGS = ["C0", TUNED, GIVEN, *CLAIMS[2:]]  # C1 alone has two


def report_of(verdicts):
    """A report with these verdicts; other claims are not attempted. Unknown ids are our own."""
    texts = paper_table("claims").set_index("id")
    table = texts.loc[[reading.split(",")[0] for reading in READINGS]].copy()
    table.index = pd.Index(READINGS, name="id")
    table["verdict"] = Verdict.NOT_ATTEMPTED
    for claim, verdict in verdicts.items():
        if claim not in table.index:
            table.loc[claim, ["where", "claim"]] = "ours", "a claim of our own"
        table.loc[claim, "verdict"] = verdict
    return table


def test_reports_are_by_place_and_claim(recorded, outputs):
    place = results.Place("cutout", "quick", "phantom")
    found = claim_overview.reports_of([place])
    assert list(found) == [place.name]
    assert list(found[place.name].index[: len(READINGS)]) == READINGS
    assert len(READINGS) == len(CLAIMS) + 1
    assert set(found[place.name]["verdict"]) == {Verdict.NOT_ATTEMPTED}


def test_only_the_papers_claims_on_images_are_counted():
    report = report_of({"C0": Verdict.REPRODUCED, TUNED: Verdict.PARTLY, "ours": Verdict.PARTLY})
    found = claim_overview.count_sentence(report)
    assert found == "of 14 readings of 13 claims on images, 13 not attempted yet, 1 partly."


def test_every_reading_is_counted():
    report = report_of({TUNED: Verdict.PARTLY, GIVEN: Verdict.PARTLY, "C2": Verdict.REPRODUCED})
    found = claim_overview.count_sentence(report)
    assert found.endswith("claims on images, 11 not attempted yet, 2 partly, 1 reproduced.")


def test_the_list_names_the_places_at_which_an_experiment_is_run(recorded, outputs):
    found = claim_overview.place_list([results.Place("cutout", "long", "phantom")]).splitlines()
    assert [line.split(",")[0] for line in found] == ["- cutout", "- robustness", "- prostate"]
    assert all("make reproduce PROFILE=long SOURCE=phantom" in line for line in found)


def test_the_table_has_a_column_per_place_and_claims_of_our_own_last():
    here = report_of({TUNED: Verdict.PARTLY, GIVEN: Verdict.UNDECIDED})
    there = report_of({"ours": Verdict.REPRODUCED})
    table = claim_overview.claim_table({"here": here, "there": there})
    assert list(table.columns) == ["where", "claim", "here", "there"]
    assert list(table.index) == [*READINGS, "ours"]
    assert table.loc[[TUNED, GIVEN], "here"].tolist() == ["partly", "undecided"]
    assert table.loc[TUNED, "there"] == table.loc["ours", "here"] == "not attempted yet"
    assert table.loc["ours", "there"] == "reproduced"
    # Both readings are of one sentence of the paper.
    assert table.loc[TUNED, "claim"] == table.loc[GIVEN, "claim"] != table.loc["C2", "claim"]


def test_without_reports_nothing_is_attempted():
    table = claim_overview.claim_table({})
    assert list(table.index) == CLAIMS
    assert set(table["verdict"]) == {"not attempted yet"}


def test_words_name_every_attempted_claim():
    report = report_of({"C2": Verdict.UNDECIDED, GIVEN: Verdict.PARTLY})
    found = claim_overview.attempted_verdicts(report).split("; ")
    names = [part.replace(",", " ").split(" ")[0] for part in found]
    assert names == ["C1", *attempted_claims()]
    assert found[:3] == [f"{TUNED} not attempted yet", f"{GIVEN} partly", "C2 undecided"]


def test_claims_agree_where_they_were_judged_twice_alike():
    here = report_of({GIVEN: Verdict.PARTLY, "C2": Verdict.REPRODUCED, "C3": Verdict.PARTLY})
    there = report_of({GIVEN: Verdict.PARTLY, "C2": Verdict.UNDECIDED})
    found = claim_overview.agreement({"here": here, "there": there})
    assert found == f"judged in several places, same verdict: {GIVEN}; verdicts differ: C2"
    same = claim_overview.agreement({"here": here, "there": here})
    assert same.endswith(f"same verdict: {GIVEN}, C2, C3; verdicts differ: none")


@pytest.mark.parametrize("reports", [{}, {"here": pd.DataFrame()}])
def test_one_place_agrees_with_nobody(reports):
    assert claim_overview.agreement(reports).startswith("fewer than two places")
