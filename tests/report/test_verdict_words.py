"""Verdicts in words agree with the rule, and say what the paper says."""

from sdlib.experiments import paper_table
from sdlib.report.rule import Verdict
from sdlib.report.verdict_words import verdict_words
from sdlib.report.verdicts import claims_at
from sdlib.results import Place

PHANTOM = Place("cutout", "laptop", "phantom")
OPEN = Place("cutout", "laptop", "open")


def test_every_reading_has_the_verdict_of_the_rule():
    table = verdict_words([PHANTOM, OPEN], "C1", "C2")
    for place in (PHANTOM, OPEN):
        expected = {name: str(one) for name, one in claims_at(place, "C1", "C2").items()}
        assert table[place.name].loc[list(expected)].to_dict() == expected


def test_the_paper_is_quoted_from_its_table_for_every_reading_of_a_claim():
    said = paper_table("claims").set_index("id")["claim"]
    table = verdict_words([PHANTOM], "C1")
    assert len(table) > 1  # the claim has several readings
    assert set(table["the paper says"]) == {said["C1"]}


def test_places_that_attempted_nothing_have_no_column():
    table = verdict_words([Place("cutout", "paper", "pcam"), PHANTOM], "C1")
    assert list(table.columns) == ["the paper says", PHANTOM.name]
    assert str(Verdict.NOT_ATTEMPTED) not in set(table[PHANTOM.name])


def test_without_places_there_is_a_table_without_lines():
    table = verdict_words([], "C1")
    assert list(table.columns) == ["the paper says"]
    assert len(table) == 0


def test_readings_that_no_place_attempted_have_no_line(rows):
    nothing = Place("cutout", "laptop", "open", "this run")
    table = verdict_words([nothing, rows], "C1", "C2")
    judged = {
        claim: str(verdict)
        for claim, verdict in claims_at(rows, "C1", "C2").items()
        if verdict != Verdict.NOT_ATTEMPTED
    }
    assert table[rows.name].to_dict() == judged
    assert verdict_words([nothing], "C1").empty
