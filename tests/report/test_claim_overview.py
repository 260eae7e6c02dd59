"""All claims at all places, on reports that are written here."""

import pandas as pd
import pytest

from sdlib import results
from sdlib.experiments import paper_table
from sdlib.report import claim_overview
from sdlib.report.verdicts import Verdict, attempted_claims

CLAIMS = list(paper_table("claims")["id"])


def report_of(**verdicts):
    """A report with these verdicts; other claims are not attempted. Unknown ids are our own."""
    table = paper_table("claims").set_index("id")
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
    assert list(found[place.name].index[: len(CLAIMS)]) == CLAIMS
    assert set(found[place.name]["verdict"]) == {Verdict.NOT_ATTEMPTED}


def test_only_the_papers_claims_on_images_are_counted():
    report = report_of(C0=Verdict.REPRODUCED, C1=Verdict.PARTLY, ours=Verdict.PARTLY)
    found = claim_overview.count_sentence(report)
    images = len(CLAIMS) - 1
    expected = f"of {images} claims on images, {images - 1} not attempted yet, 1 partly."
    assert found == expected


def test_the_list_names_the_places_at_which_an_experiment_is_run(recorded, outputs):
    found = claim_overview.place_list([results.Place("cutout", "long", "phantom")]).splitlines()
    assert [line.split(",")[0] for line in found] == ["- cutout", "- robustness"]
    assert all("make reproduce PROFILE=long SOURCE=phantom" in line for line in found)


def test_the_table_has_a_column_per_place_and_claims_of_our_own_last():
    reports = {"here": report_of(C1=Verdict.PARTLY), "there": report_of(ours=Verdict.REPRODUCED)}
    table = claim_overview.claim_table(reports)
    assert list(table.columns) == ["where", "claim", "here", "there"]
    assert list(table.index) == [*CLAIMS, "ours"]
    assert table.loc["C1", "here"] == "partly"
    assert table.loc["C1", "there"] == table.loc["ours", "here"] == "not attempted yet"
    assert table.loc["ours", "there"] == "reproduced"


def test_without_reports_nothing_is_attempted():
    assert set(claim_overview.claim_table({})["verdict"]) == {"not attempted yet"}


def test_words_name_every_attempted_claim():
    found = claim_overview.attempted_verdicts(report_of(C2=Verdict.UNDECIDED)).split("; ")
    assert [part.split(" ")[0] for part in found] == attempted_claims()
    assert "C2 undecided" in found


def test_claims_agree_where_they_were_judged_twice_alike():
    here = report_of(C1=Verdict.PARTLY, C2=Verdict.REPRODUCED, C3=Verdict.PARTLY)
    there = report_of(C1=Verdict.PARTLY, C2=Verdict.UNDECIDED)
    found = claim_overview.agreement({"here": here, "there": there})
    assert found == "judged in several places, same verdict: C1; verdicts differ: C2"
    same = claim_overview.agreement({"here": here, "there": here})
    assert same.endswith("same verdict: C1, C2, C3; verdicts differ: none")


@pytest.mark.parametrize("reports", [{}, {"here": pd.DataFrame()}])
def test_one_place_agrees_with_nobody(reports):
    assert claim_overview.agreement(reports).startswith("fewer than two places")
